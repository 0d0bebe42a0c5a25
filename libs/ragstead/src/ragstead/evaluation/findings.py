"""What the gate says of measures: both sides on the same questions, with the interval of their difference."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ragstead.evaluation.measures import MEASURES
from ragstead.evaluation.resampling import Compared, Interval, Resampling, Weighted, differences_of_means
from ragstead.evaluation.rules import MeasureRule
from ragstead.evaluation.scoring import Scored

Pairs = Sequence[tuple[Scored, Scored]]
"""What candidate and champion got on the same questions."""
Outcome = Literal["passed", "refused", "told", "skipped"]
"""`told`: worse, and nothing that blocks. `skipped`: could not be judged."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What the gate says of one thing it looks at.

    Attributes:
        name: A measure's name, or `citations_valid`, `leaks`, `latency`, `latency_p95`.
        outcome: What came of it.
        says: Why, in one line.
        candidate: Its figure; None where it has none.
        champion: The same.
        difference: Candidate less champion, for latency candidate over champion, with its interval.
        questions: Ids of those that got worse, or broke the rule.
        spread: Of a judge's opinion on the candidate, and on the champion: pooled standard deviation over its repeats.
    """

    name: str
    outcome: Outcome
    says: str
    candidate: float | None = None
    champion: float | None = None
    difference: Interval | None = None
    questions: tuple[str, ...] = ()
    spread: tuple[float, float] | None = None


def findings_of(pairs: Pairs, rules: Mapping[str, MeasureRule], plan: Resampling) -> Iterator[Finding]:
    """Yield a finding for each measure with a rule that the questions say anything of, or that blocks."""
    said = {name for pair in pairs for one in pair for name in one.scores}
    compared = {name: _sides(name, pairs) for name in rules if name in said}
    differences = differences_of_means(list(compared.values()), plan)
    for (name, sides), difference in zip(compared.items(), differences, strict=True):
        yield _finding(name, rules[name], sides, difference, pairs)
    for name, rule in rules.items():
        if name not in said and rule.blocks:
            yield Finding(name, "skipped", "no question of the suite says anything of it")


def _sides(name: str, pairs: Pairs) -> Compared:
    a, b = (_weighted(name, [pair[side] for pair in pairs]) for side in (0, 1))
    return Compared(a, b, MEASURES[name].of_nothing)


def _finding(name: str, rule: MeasureRule, sides: Compared, difference: Interval, pairs: Pairs) -> Finding:
    measure = MEASURES[name]
    a, b = sides.a, sides.b
    means = [float(np.average(s.values, weights=s.weights)) if s.weights.any() else measure.of_nothing for s in (a, b)]
    sign = 1 if measure.higher_is_better else -1
    worst = difference.high if measure.higher_is_better else -difference.low
    worse = sign * difference.value < -rule.margin and worst < 0
    outcome: Outcome = ("refused" if rule.blocks else "told") if worse else "passed"
    losers = tuple(x.case_id for x, y in pairs if worse and _loses(name, sign, x, y))
    says = _words(sign * difference.value, rule, worse)
    return Finding(name, outcome, says, means[0], means[1], difference, losers)


def _words(gain: float, rule: MeasureRule, worse: bool) -> str:
    if worse:
        return f"worse by {-gain:.4f}, more than the margin of {rule.margin:g}, and surely not by chance"
    if gain < -rule.margin:
        return f"worse by {-gain:.4f}, which may be chance"
    return "no worse" if gain >= 0 else f"worse by {-gain:.4f}, within the margin of {rule.margin:g}"


def _loses(name: str, sign: int, candidate: Scored, champion: Scored) -> bool:
    ours, theirs = candidate.scores.get(name), champion.scores.get(name)
    if ours is None:
        return False
    before = theirs.value if theirs is not None else MEASURES[name].of_nothing
    return sign * (ours.value - before) < 0


def _weighted(name: str, side: Sequence[Scored]) -> Weighted:
    scores = [one.scores.get(name) for one in side]
    values = np.array([score.value if score else 0.0 for score in scores], dtype=np.float64)
    return Weighted(values, np.array([score.weight if score else 0.0 for score in scores], dtype=np.float64))
