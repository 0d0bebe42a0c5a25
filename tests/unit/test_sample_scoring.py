"""A sample of live answers is judged beside the requests, whatever the judge does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from ragstead.errors import InvalidRequest, Unavailable
from ragstead.pipelines.sample_scoring import SampleScoring, SamplingPlan
from ragstead.ports.judge import JudgedAnswer, Judgement

TRACE = "0" * 24 + "00000001"


class OneJudge:
    """Says the same of everything; may be held up, or be down."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.down = False

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        await self.go_on.wait()
        if self.down:
            raise Unavailable("judge", "it is down")
        return [Judgement("faithfulness", 0.75, 0.0, 1, answer.answer)]


def run(
    plan: SamplingPlan, scenario: Callable[[SampleScoring, OneJudge, list[tuple[str, str, float]]], Awaitable[None]]
) -> None:
    async def main() -> None:
        kept: list[tuple[str, str, float]] = []

        async def keep(trace_id: str, judgement: Judgement) -> None:
            kept.append((trace_id, judgement.name, judgement.value))

        judge = OneJudge()
        scoring = SampleScoring([judge], keep, plan)
        scoring.start()
        try:
            await scenario(scoring, judge, kept)
        finally:
            await scoring.close()

    asyncio.run(main())


def answer(trace_id: str = TRACE) -> JudgedAnswer:
    return JudgedAnswer("How many?", "27 days", ("27 days",), trace_id=trace_id)


def test_score_of_a_sampled_answer_lands_on_its_trace() -> None:
    async def scenario(scoring: SampleScoring, _: OneJudge, kept: list[tuple[str, str, float]]) -> None:
        assert scoring.offer(answer())
        await scoring.settle()
        assert kept == [(TRACE, "faithfulness", 0.75)]
        assert scoring.counts.judged == 1

    run(SamplingPlan(1.0), scenario)


def test_judge_that_hangs_holds_nobody_up_and_what_is_too_much_is_counted() -> None:
    async def scenario(scoring: SampleScoring, judge: OneJudge, kept: list[tuple[str, str, float]]) -> None:
        judge.go_on.clear()
        assert scoring.offer(answer())
        await asyncio.sleep(0.01)  # it is with the judge now
        assert [scoring.offer(answer()) for _ in range(5)] == [True, True, False, False, False]
        assert scoring.counts.dropped == 3
        judge.go_on.set()
        await scoring.settle()
        assert len(kept) == 3

    run(SamplingPlan(1.0, waiting=2), scenario)


def test_judge_that_is_down_is_counted_and_the_next_answer_is_judged() -> None:
    async def scenario(scoring: SampleScoring, judge: OneJudge, kept: list[tuple[str, str, float]]) -> None:
        judge.down = True
        scoring.offer(answer())
        await scoring.settle()
        judge.down = False
        scoring.offer(answer())
        await scoring.settle()
        assert (scoring.counts.failed, scoring.counts.judged, len(kept)) == (1, 1, 1)

    run(SamplingPlan(1.0), scenario)


def test_judge_that_is_down_takes_nothing_from_the_other() -> None:
    async def main() -> None:
        kept: list[str] = []

        async def keep(_: str, judgement: Judgement) -> None:
            kept.append(judgement.name)

        broken = OneJudge()
        broken.down = True
        scoring = SampleScoring([broken, OneJudge()], keep, SamplingPlan(1.0))
        scoring.start()
        scoring.offer(answer())
        await scoring.settle()
        await scoring.close()
        assert kept == ["faithfulness"]
        assert scoring.word == "0 scored, 0 dropped, 1 failed; last: it is down"

    asyncio.run(main())


def test_share_of_traces_is_taken_and_the_same_ones_each_time() -> None:
    plan = SamplingPlan(0.1)
    traces = [f"{n * 2654435761 % (1 << 32):032x}" for n in range(5000)]
    taken = [plan.takes(trace) for trace in traces]
    assert sum(taken) / len(taken) == pytest.approx(0.1, abs=0.02)
    assert taken == [plan.takes(trace) for trace in traces]
    assert not SamplingPlan(0.0).takes(TRACE)
    assert not SamplingPlan(1.0).takes("no trace")


def test_plan_that_is_no_sample_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no sample"):
        SamplingPlan(1.5)
