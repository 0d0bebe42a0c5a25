"""Which answers are offered to the sample, what reaches their traces, and a judge on a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from ragstead.adapters.judge_thread import JudgeThread
from ragstead.errors import InvalidRequest, NotFound, Unavailable
from ragstead.model import Answer, Chunk, Citation, Reason, Receipt, StoredChunk, Verdict
from ragstead.pipelines.asking import AskRequest, answer_of
from ragstead.pipelines.sample_scoring import SampleScoring, SamplingPlan
from ragstead.pipelines.sampled import JudgeElsewhere, SampledAnswers, record_of
from ragstead.pipelines.traced.answerer import TracedAnswerer
from ragstead.ports.judge import Judge, JudgedAnswer, Judgement
from ragstead.ports.tracer import Score
from ragstead.settings.live_scoring import LiveScoringSettings
from ragstead.testing.tracing import RecordingTracer
from ragstead.tracing import current

TEXT = "All staff. Parents take 20 days of leave."
STORED = StoredChunk(1, "leave.md:1:0", "leave.md", "file-1", "leave.md", "Leave", Chunk(0, 100, 100 + len(TEXT), TEXT))
QUOTE = "20 days of leave"
AT = 100 + TEXT.index(QUOTE)
CITATION = Citation(1, 0, 7, 8, STORED, QUOTE, AT, AT + len(QUOTE), 0.9, Verdict.SUPPORTED)
ANSWER = Answer("20 days [1].", (CITATION,), False, None, 0.9, "stop", Receipt("r-1", 1, "", "extractive", "miss"))
REQUEST = AskRequest("How many days?", "leave")


class Scripted:
    """Answers with one answer, written from two passages where those are told."""

    def __init__(self, answer: Answer, passages: tuple[str, ...] = ()) -> None:
        self._answer = answer
        self._passages = passages

    async def answer(self, request: AskRequest) -> Answer:
        return await answer_of(self.stream(request))

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        span = current()
        if span is not None:
            span.trace.passages = self._passages
        yield self._answer.content
        yield replace(self._answer, receipt=replace(self._answer.receipt, trace_id=request.trace.trace_id))


class Opinion:
    """Says the same of everything, and keeps what it saw."""

    def __init__(self, name: str = "faithfulness") -> None:
        self.seen: list[JudgedAnswer] = []
        self.threads: set[str] = set()
        self._name = name

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        self.seen.append(answer)
        self.threads.add(threading.current_thread().name)
        return [Judgement(self._name, 0.75, 0.0, 1, "so")]


class House:
    """A traced answerer whose answers are sampled."""

    def __init__(self, answerer: Scripted, share: float = 1.0, wanted: Callable[[str], bool] | None = None) -> None:
        self.tracer, self.judge = RecordingTracer(wanted), Opinion()

        async def keep(trace_id: str, judgement: Judgement) -> None:
            assert trace_id in [one.context.trace_id for one in self.tracer.traces]  # its trace went out before
            self.tracer.score(Score(trace_id, judgement.name, judgement.value, comment=judgement.why))

        self.scoring = SampleScoring([self.judge], keep, SamplingPlan(share))
        self.answerer = TracedAnswerer(SampledAnswers(answerer, self.scoring), self.tracer)

    def asked(self, request: AskRequest) -> list[Score]:
        async def main() -> None:
            self.scoring.start()
            await self.answerer.answer(request)
            await self.scoring.settle()
            await self.scoring.close()

        asyncio.run(main())
        return self.tracer.scores


def test_answer_is_judged_with_all_its_passages_and_the_score_lands_on_its_trace() -> None:
    house = House(Scripted(ANSWER, (TEXT, "Lunch is free.")))
    assert house.asked(REQUEST) == [Score(REQUEST.trace.trace_id, "faithfulness", 0.75, comment="so")]
    (seen,) = house.judge.seen
    assert (seen.question, seen.answer, seen.collection) == ("How many days?", "20 days [1].", "leave")
    assert seen.contexts == (TEXT, "Lunch is free.")
    assert seen.record is not None
    assert [(one.quote, one.stands) for one in seen.record.quotes] == [(QUOTE, True)]


def test_question_that_was_made_to_stand_alone_is_the_one_that_is_judged() -> None:
    alone = replace(ANSWER, receipt=replace(ANSWER.receipt, question="How many days of leave do parents take?"))
    house = House(Scripted(alone))
    house.asked(REQUEST)
    assert house.judge.seen[0].question == "How many days of leave do parents take?"
    assert house.judge.seen[0].contexts == (TEXT,)


REFUSAL = replace(ANSWER, refused=True, reason=Reason.NO_EVIDENCE, citations=(), content="I don't know.")
KEPT = replace(ANSWER, receipt=replace(ANSWER.receipt, cache="hit"))


@pytest.mark.parametrize(
    ("answer", "request_", "share"),
    [
        (ANSWER, replace(REQUEST, private=True), 1.0),
        (ANSWER, replace(REQUEST, conversation_id="conv_1"), 1.0),
        (REFUSAL, REQUEST, 1.0),
        (KEPT, REQUEST, 1.0),
        (ANSWER, REQUEST, 0.0),
    ],
    ids=["private", "of a conversation", "refusal", "kept", "not in the sample"],
)
def test_what_is_not_to_be_sampled_is_not(answer: Answer, request_: AskRequest, share: float) -> None:
    house = House(Scripted(answer), share)
    assert house.asked(request_) == []
    assert len(house.tracer.traces) == 1
    assert house.judge.seen == []


def test_answer_without_a_trace_is_not_judged_as_its_score_would_have_no_place() -> None:
    house = House(Scripted(ANSWER), wanted=lambda _: False)
    assert house.asked(REQUEST) == []
    assert house.judge.seen == []


def test_quote_that_does_not_stand_in_its_passage_does_not_stand() -> None:
    for start in (AT + 1, 90):
        moved = replace(CITATION, quote_start=start, quote_end=start + len(QUOTE))
        assert not record_of(replace(ANSWER, citations=(moved,))).quotes[0].stands


# --- judges -----------------------------------------------------------------------------------------


def test_judge_elsewhere_sees_only_collections_whose_texts_may_leave() -> None:
    away = Opinion("bias")

    async def may_leave(collection: str) -> bool:
        if collection == "gone":
            raise NotFound("collection", collection)
        return collection == "public"

    judge = JudgeElsewhere(away, may_leave)

    def names(collection: str) -> list[str]:
        return [one.name for one in asyncio.run(judge.judge(JudgedAnswer("?", "!", collection=collection)))]

    assert names("staff") == []
    assert names("public") == ["bias"]
    assert [one.collection for one in away.seen] == ["public"]
    with pytest.raises(NotFound):
        names("gone")


def on_thread(
    opened: Callable[[AsyncExitStack], Judge], scenario: Callable[[JudgeThread], Awaitable[None]], timeout_s: float = 30
) -> None:
    async def main() -> None:
        thread = JudgeThread(opened, timeout_s, closing_s=0.5)
        try:
            await scenario(thread)
        finally:
            await thread.close()

    asyncio.run(main())


ASKED = JudgedAnswer("How many?", "20 days")


def test_judge_is_opened_once_and_judges_on_its_thread_and_is_closed_there() -> None:
    judge, opened, closed = Opinion(), [], []

    def open_(stack: AsyncExitStack) -> Judge:
        opened.append(threading.current_thread().name)
        stack.callback(lambda: closed.append(threading.current_thread().name))
        return judge

    async def scenario(thread: JudgeThread) -> None:
        assert opened == []
        for _ in range(2):
            assert [one.value for one in await thread.judge(ASKED)] == [0.75]

    on_thread(open_, scenario)
    assert opened == closed == ["ragstead-judge"]
    assert judge.threads == {"ragstead-judge"}
    assert "ragstead-judge" not in [one.name for one in threading.enumerate()]


def test_event_loop_goes_on_while_the_judge_is_opened() -> None:
    def slowly(_: AsyncExitStack) -> Judge:
        time.sleep(0.5)
        return Opinion()

    async def scenario(thread: JudgeThread) -> None:
        judging = asyncio.create_task(thread.judge(ASKED))
        turns = 0
        while not judging.done():
            await asyncio.sleep(0.01)
            turns += 1
        assert turns >= 10

    on_thread(slowly, scenario)


class Odd:
    """Hangs, or fails as nobody foresaw, or as the house does."""

    def __init__(self, error: Exception | None) -> None:
        self._error = error

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        if self._error is None:
            await asyncio.sleep(60)
        raise self._error or AssertionError(answer)


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        (None, Unavailable, "no opinion within 0.2 s"),
        (RuntimeError("odd"), Unavailable, "RuntimeError: odd"),
        (InvalidRequest("no such measure"), InvalidRequest, "no such measure"),
    ],
)
def test_judge_that_hangs_or_fails_is_an_error_of_the_house(
    error: Exception | None, kind: type[Exception], word: str
) -> None:
    async def scenario(thread: JudgeThread) -> None:
        with pytest.raises(kind, match=word):
            await thread.judge(ASKED)

    on_thread(lambda _: Odd(error), scenario, timeout_s=0.2)


def test_judge_that_blocks_its_thread_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    go_on = threading.Event()

    def blocked(_: AsyncExitStack) -> Judge:
        go_on.wait(30)
        return Opinion()

    async def scenario(thread: JudgeThread) -> None:
        with pytest.raises(Unavailable, match="no opinion"):
            await thread.judge(ASKED)

    began = time.monotonic()
    on_thread(blocked, scenario, timeout_s=0.1)
    assert time.monotonic() - began < 10
    assert "left behind" in caplog.text
    go_on.set()


def test_judge_that_is_closed_judges_no_more() -> None:
    async def main() -> None:
        thread = JudgeThread(lambda _: Opinion(), 1)
        await thread.close()
        with pytest.raises(Unavailable, match="closed"):
            await thread.judge(ASKED)

    asyncio.run(main())


# --- settings ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"rate": 1.5}, "rate"),
        ({"metrics": []}, "metrics"),
        ({"metrics": ["magic"]}, "metrics"),
        ({"metrics": ["contextual_recall"], "judge": "tiny"}, "metrics"),
        ({"metrics": ["groundedness", "bias"]}, "bias: a model judges these"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"max_waiting": 0}, "max_waiting"),
    ],
)
def test_settings_that_no_sample_can_be_scored_by_are_refused(given: dict[str, object], word: str) -> None:
    with pytest.raises(ValueError, match=word):
        LiveScoringSettings.model_validate(given)


def test_metrics_are_told_apart_by_whether_a_model_judges() -> None:
    given = LiveScoringSettings(metrics=("bias", "groundedness", "toxicity"), judge="tiny")
    assert (given.measures, given.opinions) == (("groundedness",), ("bias", "toxicity"))
    assert LiveScoringSettings().rate == 0
