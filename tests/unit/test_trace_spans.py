"""Which span is worked on: through awaits, tasks and generators, and never another question's."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from ragstead.model import Answer, Reason, Receipt
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.traced.answerer import TracedAnswerer
from ragstead.ports.tracer import Kind, Span, TraceContext
from ragstead.testing.tracing import RecordingTracer
from ragstead.tracing import apart, begin_trace, current, followed, span, stepping, within


def root(name: str = "answer") -> Span:
    return begin_trace(TraceContext(), name, Kind.CHAIN)


def names(one: Span) -> list[str]:
    return [each.name for each in one.trace.spans]


def test_without_a_trace_a_span_is_nothing_and_costs_no_object() -> None:
    assert span("fuse") is span("other")
    with span("fuse") as step:
        assert step is None
        assert current() is None


def test_block_is_a_child_of_the_current_span_and_ends_with_it() -> None:
    top = root()
    with within(top), span("retrieve", Kind.RETRIEVER) as outer, span("fuse") as inner:
        assert current() is inner
    assert outer is not None
    assert inner is not None
    assert (outer.parent_id, inner.parent_id) == (top.span_id, outer.span_id)
    assert top.began_ns <= outer.began_ns <= inner.began_ns <= inner.ended_ns <= outer.ended_ns
    assert current() is None


def test_what_a_block_raises_is_booked_and_raised() -> None:
    top = root()
    with within(top), pytest.raises(ValueError, match="full"), span("fuse"):
        raise ValueError("full")
    assert (top.trace.spans[1].error, top.trace.spans[1].message) == ("ValueError", "full")


def test_generator_does_not_leak_its_span_between_two_items() -> None:
    top = root()

    async def items() -> AsyncGenerator[str, None]:
        for n in range(3):
            with span(f"step {n}"):
                await asyncio.sleep(0)
            assert current() is top
            yield str(n)

    async def run() -> None:
        async with aclosing(stepping(items(), top)) as made:
            async for _ in made:
                assert current() is None
        assert current() is None

    asyncio.run(run())
    assert names(top) == ["answer", "step 0", "step 1", "step 2"]


def test_generator_may_be_read_and_closed_by_different_tasks() -> None:
    top, closed_in = root(), []

    async def items() -> AsyncGenerator[int, None]:
        try:
            yield 1
            yield 2
        finally:
            closed_in.append(current())

    async def run() -> None:
        made = stepping(items(), top)
        assert await asyncio.create_task(anext(made)) == 1  # type: ignore[arg-type]
        await asyncio.create_task(made.aclose())  # type: ignore[arg-type]

    asyncio.run(run())
    assert closed_in == [top]


def test_tasks_begun_within_a_span_belong_to_it_and_those_begun_apart_to_none() -> None:
    top, seen = root(), []

    async def look() -> None:
        seen.append(current())

    async def run() -> None:
        with within(top):
            await asyncio.gather(look(), asyncio.create_task(look()))
            with apart():
                task = asyncio.create_task(look())
            await task

    asyncio.run(run())
    assert seen == [top, top, None]


@pytest.mark.parametrize(("whole", "error"), [(True, ""), (False, "cancelled")])
def test_closing_before_the_last_item_is_a_hang_up_and_after_it_is_not(error: str, *, whole: bool) -> None:
    top = root()

    async def items() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    async def run() -> None:
        async with aclosing(followed(items(), top, lambda _: whole)) as made:
            await anext(made)

    asyncio.run(run())
    assert top.error == error
    assert top.ended_ns >= top.began_ns


class Answering:
    """Answers after a while, in pieces; or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error

    async def answer(self, request: AskRequest) -> Answer:
        raise NotImplementedError

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        with span("work") as step:
            assert step is not None
            step.input = request.question
            await asyncio.sleep(0.001)
            if self.error is not None:
                raise self.error
        yield "a"
        await asyncio.sleep(0.001)
        receipt = Receipt("r-1", 3, request.trace.trace_id, "extractive", cache="miss")
        yield Answer("a", (), True, Reason.LOW_SUPPORT, 0.01, "stop", receipt)


def test_questions_side_by_side_in_one_task_each_keep_their_trace() -> None:
    tracer = RecordingTracer()
    answerer = TracedAnswerer(Answering(), tracer)

    async def run() -> None:
        streams = [answerer.stream(AskRequest(f"q{n}")) for n in range(5)]
        for _ in range(2):  # by turns: a piece of each, then the next of each
            for stream in streams:
                await anext(stream)
        for stream in streams:
            await stream.aclose()

    asyncio.run(run())
    assert [trace.spans[1].input for trace in tracer.traces] == [f"q{n}" for n in range(5)]
    assert [trace.spans[0].error for trace in tracer.traces] == [""] * 5
    assert {trace.release for trace in tracer.traces} == {"r-1"}
    assert tracer.traces[0].scores == {"p_supported": 0.01, "refused": True}


def test_failure_is_raised_booked_and_recorded() -> None:
    tracer = RecordingTracer()
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(TracedAnswerer(Answering(ValueError("broken")), tracer).answer(AskRequest("q")))
    assert [(one.name, one.error) for one in tracer.traces[0].spans] == [
        ("answer", "ValueError"),
        ("work", "ValueError"),
    ]


def test_cancelled_question_ends_its_trace() -> None:
    tracer = RecordingTracer()

    async def run() -> None:
        asking = asyncio.create_task(TracedAnswerer(Answering(), tracer).answer(AskRequest("q")))
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)

    asyncio.run(run())
    assert {one.error for one in tracer.traces[0].spans} == {"cancelled"}
    assert all(one.ended_ns for one in tracer.traces[0].spans)


def test_trace_that_is_not_wanted_is_not_made() -> None:
    tracer = RecordingTracer(wanted=lambda _: False)

    class Plain(Answering):
        async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
            assert current() is None
            yield Answer("a", (), False, None, 1.0, "stop", Receipt("r", 1, request.trace.trace_id, "m"))

    answer = asyncio.run(TracedAnswerer(Plain(), tracer).answer(AskRequest("q")))
    assert answer.content == "a"
    assert tracer.traces == []
