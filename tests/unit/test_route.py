"""Which generator answers: order, breakers, egress, and no change of horses in mid-stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import InvalidRequest, Overloaded, RagsteadError, Unavailable
from ragstead.pipelines.route import Candidates, CircuitBreaker, Route, RoutedGenerator, RoutePlan
from ragstead.pipelines.shadow import Shadow
from ragstead.ports.generator import GenerationRequest, Piece
from ragstead.ports.shadow_log import Comparison

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


class KeptComparisons:
    """A shadow log in memory."""

    def __init__(self) -> None:
        self.kept: list[Comparison] = []
        self.error: RagsteadError | None = None

    async def add(self, comparison: Comparison) -> None:
        if self.error is not None:
            raise self.error
        self.kept.append(comparison)


class Stuck(Scripted):
    """A generator that never says a word."""

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        self.asked += 1
        await asyncio.Event().wait()
        yield Piece("never")


def planned(*names: str, shadow: str | None = None) -> RoutePlan:
    return lambda _request, _running: Candidates(names, "rule: test", "test", shadow)


def shadowed(
    routes: list[Route], log: KeptComparisons, *, shadow: str, questions: int = 1, most: int = 4, leave: bool = False
) -> list[tuple[str, Piece]]:
    async def run() -> list[tuple[str, Piece]]:
        copies = Shadow(log, most)
        both = RoutedGenerator(routes, planned(routes[0].generator.name, shadow=shadow), copies)
        out = []
        for _ in range(questions):
            pieces = [piece async for piece in both.generate(GenerationRequest("when?", (), may_leave=leave))]
            out.append(("".join(piece.text for piece in pieces), pieces[-1]))
        await asyncio.sleep(0.01)
        await copies.close()
        return out

    return asyncio.run(run())


def test_plan_says_who_is_asked_and_the_receipt_says_which_rule() -> None:
    routes = [route(Scripted("a", "one")), route(Scripted("b", error=DOWN)), route(Scripted("c", "three"))]
    text, last = answer(RoutedGenerator(routes, planned("b", "c", "a")))
    assert (text, last.model, last.route) == ("three", "c", "rule: test; fallback: b is down")


def test_plan_hears_what_is_being_written() -> None:
    heard: list[int] = []

    async def run() -> None:
        def plan(_request: GenerationRequest, running: Mapping[str, int]) -> Candidates:
            heard.append(running.get("a", 0))
            return Candidates(["a"])

        both = RoutedGenerator([route(Scripted("a", "one", "two"))], plan)
        first = both.generate(QUESTION)
        await anext(first)
        second = both.generate(QUESTION)
        await anext(second)
        await first.aclose()  # type: ignore[attr-defined]
        await second.aclose()  # type: ignore[attr-defined]
        await anext(both.generate(QUESTION))

    asyncio.run(run())
    assert heard == [0, 1, 0]


def test_both_answers_are_kept_for_comparison() -> None:
    log = KeptComparisons()
    ((text, last),) = shadowed([route(Scripted("a", "yes")), route(Scripted("b", "no", "!"))], log, shadow="b")
    assert (text, last.model) == ("yes", "a")
    (kept,) = log.kept
    assert (kept.rule, kept.question, kept.answer.text, kept.shadow.text) == ("test", "when?", "yes", "no!")
    assert (kept.answer.model, kept.shadow.model, kept.shadow.completion_tokens, kept.shadow.error) == ("a", "b", 2, "")


def test_shadow_that_fails_is_on_record_and_hurts_nobody() -> None:
    log = KeptComparisons()
    answers = shadowed([route(Scripted("a", "yes")), route(Scripted("b", "half", error=DOWN))], log, shadow="b")
    assert answers[0][0] == "yes"
    assert (log.kept[0].shadow.text, "gone" in log.kept[0].shadow.error) == ("half", True)


def test_copies_over_the_most_are_left_out_and_a_stuck_shadow_keeps_nobody() -> None:
    log, stuck = KeptComparisons(), Stuck("b")
    answers = shadowed([route(Scripted("a", "yes")), route(stuck)], log, shadow="b", questions=5, most=2)
    assert [text for text, _ in answers] == ["yes"] * 5
    assert (stuck.asked, log.kept) == (2, [])


def test_comparison_that_can_not_be_written_is_said(caplog: pytest.LogCaptureFixture) -> None:
    log = KeptComparisons()
    log.error = Unavailable("shadow", "the disk is full")
    shadowed([route(Scripted("a", "yes")), route(Scripted("b", "no"))], log, shadow="b")
    assert "the disk is full" in caplog.text


@pytest.mark.parametrize("may_leave", [False, True])
def test_copy_leaves_the_house_only_with_the_owners_word(may_leave: bool) -> None:
    log, hosted = KeptComparisons(), Scripted("cloud", "no")
    routes = [route(Scripted("a", "yes")), route(hosted, leaves=True)]
    shadowed(routes, log, shadow="cloud", leave=may_leave)
    assert (hosted.asked, len(log.kept)) == (int(may_leave), int(may_leave))


def test_turn_of_a_conversation_that_may_be_deleted_is_copied_to_nobody() -> None:
    first, second, log = Scripted("a", "yes"), Scripted("b", "no"), KeptComparisons()

    async def run() -> None:
        copies = Shadow(log, 4)
        both = RoutedGenerator([route(first), route(second)], planned("a", shadow="b"), copies)
        assert [piece async for piece in both.generate(replace(QUESTION, private=True))]
        await asyncio.sleep(0.01)
        await copies.close()

    asyncio.run(run())
    assert (first.asked, second.asked, log.kept) == (1, 0, [])


def test_template_is_written_by_models_alone() -> None:
    quoting = Route(Scripted("quotes", "a quote"), CircuitBreaker(2, 10.0), quotes=True)
    both = routed(route(Scripted("a", error=DOWN)), quoting)
    assert answer(both)[0] == "a quote"
    with pytest.raises(Unavailable, match="quotes only quotes, and template 'summary' needs a model"):
        answer(both, replace(QUESTION, template="summary"))


def test_model_is_no_shadow_of_itself() -> None:
    log, only = KeptComparisons(), Scripted("a", "yes")
    shadowed([route(only)], log, shadow="a")
    assert (only.asked, log.kept) == (1, [])


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
