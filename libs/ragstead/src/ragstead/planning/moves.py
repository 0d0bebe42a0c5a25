"""What an agent does next, and when it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragstead.model import Hit
from ragstead.ports.step_graph import Move


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far an agent goes.

    Attributes:
        steps: Rounds of planning, searching and judging.
        queries: Searches of one round, beside the question itself in the first.
        tokens: That models read and write while they plan.
        enough: Probability of support from which no more is searched.
    """

    steps: int
    queries: int
    tokens: int
    enough: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an agent stands.

    Attributes:
        rounds: Rounds that are over.
        lowest: Probability that the least supported part of the question is answered by what was found.
        model_waits: Whether there is a model that plans and has not been asked yet.
    """

    rounds: int
    lowest: float
    model_waits: bool = False


def after_judging(progress: Progress, bounds: Bounds) -> Move:
    """Return whether to plan again or to end.

    A model that plans is asked once whatever the first search found: who searched with a question's own words does not
    know what others would have brought.
    """
    if progress.rounds >= bounds.steps:
        return Move.END
    if progress.model_waits:
        return Move.PLAN
    return Move.END if progress.lowest >= bounds.enough else Move.PLAN


def after_planning(queries: Sequence[str]) -> Move:
    """Return whether to search; a plan without a new search ends it."""
    return Move.SEARCH if queries else Move.END


def pooled(searches: Sequence[Sequence[Hit]], most: int) -> list[int]:
    """Return the keys of `most` chunks, the best of each search first, then the second of each, each chunk once."""
    deepest = max(map(len, searches), default=0)
    turns = (hits[rank].stored.key for rank in range(deepest) for hits in searches if rank < len(hits))
    return list(dict.fromkeys(turns))[:most]
