"""What the gate says of a judge's opinions: they advise, and block where a rule says so.

They are compared on the questions whose answers were judged on both sides. A judge that gave too few opinions on one
side, or another judge's opinions on the champion, leave the respect not judged: what advises is then passed over, and
what blocks is refused, as nobody knows whether it got worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ragstead.evaluation.findings import Finding, Outcome, Pairs, findings_of
from ragstead.evaluation.opinions import Coverage, Judging, pooled_spread
from ragstead.evaluation.resampling import Resampling
from ragstead.evaluation.rules import GateRules, MeasureRule

_NOBODY = Coverage(0, 0, "no judge was asked")


@dataclass(frozen=True, slots=True)
class JudgedSides:
    """How far a judge came.

    Attributes:
        candidate: On the candidate's answers.
        champion: On the champion's; with another judge's name where results were kept that another one judged.
    """

    candidate: Judging
    champion: Judging


def opinion_findings(pairs: Pairs, rules: GateRules, plan: Resampling, judged: JudgedSides | None) -> Iterator[Finding]:
    """Yield a finding for each opinion that the rules name."""
    asked = {name: rules.measures[name] for name in rules.opinions}
    troubles = {name: trouble for name in asked if (trouble := _trouble(name, judged, rules.min_judged))}
    for name, trouble in troubles.items():
        blocks = asked[name].blocks
        says = f"not judged: {trouble}" + ("; the rules say that it blocks" if blocks else "")
        yield Finding(name, "refused" if blocks else "skipped", says)
    for name, rule in asked.items():
        if name not in troubles:
            yield _compared(name, rule, pairs, plan)


def _trouble(name: str, judged: JudgedSides | None, least: float) -> str:
    """Why a respect is not judged; empty where it is."""
    if judged is None:
        return _NOBODY.trouble
    if judged.champion.judge != judged.candidate.judge:
        other = judged.champion.judge or "nobody"
        return f"the champion's answers were judged by {other}, the candidate's by {judged.candidate.judge}"
    for side, judging in (("candidate", judged.candidate), ("champion", judged.champion)):
        found = judging.coverage.get(name, _NOBODY)
        if not found.asked:
            return f"no answer of the {side} has what this asks for"
        if not found.reaches(least):
            why = f" ({found.trouble})" if found.trouble else ""
            return f"{found.judged} of {found.asked} of the {side}'s answers have an opinion{why}"
    return ""


def _compared(name: str, rule: MeasureRule, pairs: Pairs, plan: Resampling) -> Finding:
    both = [pair for pair in pairs if all(name in one.scores for one in pair)]
    if not both:
        outcome: Outcome = "refused" if rule.blocks else "skipped"
        return Finding(name, outcome, "not judged: no question has an opinion on both sides")
    found = next(iter(findings_of(both, {name: rule}, plan)))
    spreads = tuple(pooled_spread(one.spreads.get(name, 0.0) for one in side) for side in zip(*both, strict=True))
    word = "blocks" if rule.blocks else "advises"
    says = f"{found.says}; {word}, {len(both)} answers judged, spread {spreads[0]:.3f} and {spreads[1]:.3f}"
    return replace(found, says=says, spread=(spreads[0], spreads[1]))
