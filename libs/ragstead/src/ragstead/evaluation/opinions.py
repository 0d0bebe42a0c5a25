"""A judge's opinions among a run's scores, and how far the judge came.

Each answer's score in a respect is the mean over the repeats, and its spread their standard deviation. The spread of a
run is the pooled one, ``sqrt(mean of the squares)`` over the answers judged: how far the judge differs from itself
when it is asked the same thing again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from ragstead.evaluation.measures import Score
from ragstead.evaluation.scoring import Scored
from ragstead.ports.judge import Judgement

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Coverage:
    """How many answers were judged in one respect.

    Attributes:
        asked: Answers that have what the opinion asks for.
        judged: Those of which at least one repeat could be read.
        trouble: Why others were not, the last reason; empty where nothing failed.
    """

    asked: int
    judged: int
    trouble: str = ""

    def reaches(self, share: float) -> bool:
        """Return whether at least a share of the answers was judged."""
        return self.judged > 0 and self.judged >= share * self.asked


@dataclass(frozen=True, slots=True)
class Judging:
    """What judged a run, and how far it came.

    Attributes:
        judge: The model that was asked; opinions of two judges are not compared.
        repeats: How often it was asked in each respect.
        coverage: By respect.
    """

    judge: str
    repeats: int
    coverage: Mapping[str, Coverage]

    @property
    def not_judged(self) -> dict[str, str]:
        """The respects in which there is no opinion at all, and why."""
        return {
            name: one.trouble or "no answer has what this asks for"
            for name, one in self.coverage.items()
            if not one.judged
        }


def with_opinions(results: Sequence[Scored], opinions: Mapping[str, Sequence[Judgement]]) -> list[Scored]:
    """Return the results with the judge's scores and spreads beside their own.

    Args:
        results: By question.
        opinions: By the questions' ids.
    """
    return [_with(one, opinions.get(one.case_id, ())) for one in results]


def kept_judging(judge: str, results: Sequence[Scored]) -> Judging:
    """Return how far a judge came whose opinions were kept with the results; what it failed at was not kept."""
    told = [name for one in results for name in one.spreads]
    return Judging(judge, 0, {name: Coverage(told.count(name), told.count(name)) for name in dict.fromkeys(told)})


def pooled_spread(spreads: Iterable[float]) -> float:
    """Root of the mean square of standard deviations over equally many repeats; 0 for none."""
    squares = [spread * spread for spread in spreads]
    return math.sqrt(math.fsum(squares) / len(squares)) if squares else 0.0


def _with(one: Scored, judged: Sequence[Judgement]) -> Scored:
    if not judged:
        return one
    scores = {**one.scores, **{opinion.name: Score(round(opinion.value, _DIGITS)) for opinion in judged}}
    return replace(one, scores=scores, spreads={opinion.name: round(opinion.spread, _DIGITS) for opinion in judged})
