"""Which generator answers: order, breakers, egress, and no change of horses in mid-stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import InvalidRequest, Overloaded, RagsteadError, Unavailable
from ragstead.pipelines.route import CircuitBreaker, Route, RoutedGenerator
from ragstead.ports.generator import GenerationRequest, Piece

QUESTION = GenerationRequest("when?", ())


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Scripted:
    """A generator that says words and then fails, or does not."""

    def __init__(self, name: str, *words: str, error: RagsteadError | None = None) -> None:
        self.name = name
        self._words = words
        self.error = error
        self.asked = 0
        self.closed = 0

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        self.asked += 1
        try:
            for word in self._words:
                yield Piece(word)
            if self.error:
                raise self.error
            yield Piece("", finish_reason="stop", completion_tokens=len(self._words))
        finally:
            self.closed += 1


DOWN = Unavailable("generation", "it is gone")


def routed(*routes: Route) -> RoutedGenerator:
    return RoutedGenerator(routes)


def route(generator: Scripted, *, leaves: bool = False, clock: Clock | None = None) -> Route:
    return Route(generator, CircuitBreaker(2, 10.0, clock or Clock()), leaves)


def answer(generator: RoutedGenerator, request: GenerationRequest = QUESTION) -> tuple[str, Piece]:
    async def run() -> list[Piece]:
        return [piece async for piece in generator.generate(request)]

    pieces = asyncio.run(run())
    return "".join(piece.text for piece in pieces), pieces[-1]


def test_first_that_can_answers_and_says_so() -> None:
    text, last = answer(routed(route(Scripted("a", "yes")), route(Scripted("b", "no"))))
    assert (text, last.model, last.route, last.completion_tokens) == ("yes", "a", "configured", 1)


@pytest.mark.parametrize(("error", "why"), [(DOWN, "a is down"), (Overloaded("full"), "a is busy")])
def test_next_answers_where_the_first_fails_before_its_first_word(error: RagsteadError, why: str) -> None:
    text, last = answer(routed(route(Scripted("a", error=error)), route(Scripted("b", "no"))))
    assert (text, last.model, last.route) == ("no", "b", f"fallback: {why}")


def test_half_an_answer_is_not_finished_by_another() -> None:
    second = Scripted("b", "no")
    with pytest.raises(Unavailable, match="gone"):
        answer(routed(route(Scripted("a", "half", error=DOWN)), route(second)))
    assert second.asked == 0


def test_question_that_is_at_fault_is_nobody_elses() -> None:
    with pytest.raises(InvalidRequest):
        answer(routed(route(Scripted("a", error=InvalidRequest("too long"))), route(Scripted("b", "no"))))


def test_nobody_left_names_what_became_of_each() -> None:
    with pytest.raises(Unavailable, match="a is down; b is busy"):
        answer(routed(route(Scripted("a", error=DOWN)), route(Scripted("b", error=Overloaded("full")))))


def test_hosted_model_is_asked_only_with_the_owners_word() -> None:
    hosted = Scripted("cloud", "yes")
    both = routed(route(hosted, leaves=True), route(Scripted("b", "no")))
    assert answer(both)[1].route == "fallback: cloud is hosted, and the collection does not say egress: allow"
    assert hosted.asked == 0
    assert answer(both, GenerationRequest("when?", (), may_leave=True))[1].model == "cloud"


def test_breaker_opens_after_failures_in_a_row_and_lets_one_try_after_its_rest() -> None:
    clock = Clock()
    first = Scripted("a", error=DOWN)
    both = routed(route(first, clock=clock), route(Scripted("b", "no")))
    for _ in range(5):
        assert answer(both)[0] == "no"
    assert first.asked == 2
    assert answer(both)[1].route == "fallback: a was down a moment ago"
    clock.now += 10.1
    answer(both)
    answer(both)
    assert first.asked == 3  # the trial failed, and it rests again
    clock.now += 10.1
    first.error = None
    assert answer(both)[1].model == "a"
    assert answer(both)[1].model == "a"


def test_busy_model_is_not_put_to_rest() -> None:
    first = Scripted("a", error=Overloaded("full"))
    both = routed(route(first), route(Scripted("b", "no")))
    for _ in range(5):
        answer(both)
    assert first.asked == 5


def test_closing_the_answer_closes_the_generator() -> None:
    first = Scripted("a", "one", "two")

    async def run() -> None:
        pieces = routed(route(first)).generate(QUESTION)
        await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]

    asyncio.run(run())
    assert first.closed == 1


@given(st.lists(st.tuples(st.sampled_from(["ok", "bad", "ask"]), st.floats(0, 5)), max_size=60))
def test_breaker_never_admits_while_open_and_never_stays_open_for_ever(steps: list[tuple[str, float]]) -> None:
    clock = Clock()
    breaker = CircuitBreaker(3, 10.0, clock)
    for kind, pause_s in steps:
        clock.now += pause_s
        if kind == "ok":
            breaker.succeeded()
            assert breaker.admits()
        elif kind == "bad":
            breaker.failed()
        elif breaker.is_open:
            assert not breaker.admits()
    clock.now += 20.1
    assert breaker.admits()
