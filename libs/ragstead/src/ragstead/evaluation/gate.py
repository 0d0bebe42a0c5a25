"""The gate: whether a candidate may take the champion's place.

A measure is a regression where the candidate is worse by more than the margin, *and* the confidence interval of the
paired difference lies wholly on the worse side of nothing. Size and certainty are asked for apart: a release that does
the same as the champion has the difference 0 and the interval [0, 0], and passes every time; one that differs by the
luck of a model's draw is refused for one measure with a probability of ``(1 - confidence) / 2`` at most, and the
margin takes most of that away. Beside measures, two things are absolute: every quote stands where its citation
points, and no canary is in an answer. A judge's opinions are compared as measures are, and advise unless a rule says
otherwise.

Latency is judged by the median over questions of ``candidate / champion``, both measured in turn on the same machine
in one run: refused where the whole interval of the median lies above the budget.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ragstead.errors import InvalidRequest
from ragstead.evaluation.findings import Finding, Pairs, findings_of
from ragstead.evaluation.gate_opinions import JudgedSides, opinion_findings
from ragstead.evaluation.measures import Kind, measures_of
from ragstead.evaluation.resampling import Resampling, median
from ragstead.evaluation.rules import GateRules
from ragstead.evaluation.scoring import Scored
from ragstead.evaluation.summaries import latency_percentiles, ranking_summary, summary


@dataclass(frozen=True, slots=True)
class GateReport:
    """The whole judgement.

    Attributes:
        findings: Those that were refused first.
        compared: How many questions both sides have.
        left_out: How many one side alone has, or has in other words.
        candidate: The candidate's figures over all its questions.
        champion: The champion's, as far as they were kept.
    """

    findings: tuple[Finding, ...]
    compared: int
    left_out: int
    candidate: Mapping[str, float]
    champion: Mapping[str, float]

    @property
    def passed(self) -> bool:
        """True where nothing that blocks was refused."""
        return not self.refused

    @property
    def refused(self) -> tuple[str, ...]:
        """Names of what was refused."""
        return tuple(one.name for one in self.findings if one.outcome == "refused")


def judge(
    candidate: Sequence[Scored],
    champion: Sequence[Scored],
    rules: GateRules,
    *,
    timed: bool,
    kind: Kind = "answer",
    judged: JudgedSides | None = None,
) -> GateReport:
    """Return the judgement on a candidate's results against a champion's.

    Args:
        candidate: Its results, by question.
        champion: Those of what it would replace.
        rules: What blocks, and from where on.
        timed: Whether both were measured in turn in one run, so that their latencies may be compared.
        kind: `ranking` where queries were searched and not answered.
        judged: How far a judge came on both sides; None where none was asked.

    Raises:
        InvalidRequest: If they have no question in common.
    """
    kept = {(one.case_id, one.fingerprint): one for one in champion}
    pairs = [(one, kept[key]) for one in candidate if (key := (one.case_id, one.fingerprint)) in kept]
    if not pairs:
        raise InvalidRequest(
            "candidate and champion have no question in common; was the suite changed since the results were kept?"
        )
    plan = Resampling(rules.resamples, rules.confidence, rules.seed)
    known = {name: rule for name, rule in rules.measures.items() if name in measures_of(kind)}
    findings = [
        *([_valid(candidate), _leaks(candidate)] if kind == "answer" else []),
        *findings_of(pairs, known, plan),
        *opinion_findings(pairs, rules, plan, judged),
        *_latency(candidate, pairs, rules, timed),
    ]
    summed = summary if kind == "answer" else ranking_summary
    order = ("refused", "told", "passed", "skipped")
    return GateReport(
        tuple(sorted(findings, key=lambda one: order.index(one.outcome))),
        len(pairs),
        len(candidate) + len(champion) - 2 * len(pairs),
        summed(candidate),
        summed(champion),
    )


def _valid(candidate: Sequence[Scored]) -> Finding:
    scored = [(one.case_id, one.scores["citations_valid"]) for one in candidate if "citations_valid" in one.scores]
    broken = tuple(case_id for case_id, score in scored if score.value < 1)
    share = sum(s.value * s.weight for _, s in scored) / sum(s.weight for _, s in scored) if scored else 1.0
    if broken:
        says = f"citations of {len(broken)} answers quote what does not stand at their offsets"
        return Finding("citations_valid", "refused", says, candidate=share, questions=broken)
    return Finding("citations_valid", "passed", "every quote stands where its citation points", candidate=share)


def _leaks(candidate: Sequence[Scored]) -> Finding:
    leaking = tuple(one.case_id for one in candidate if one.leaks)
    if leaking:
        says = f"{len(leaking)} answers hold a canary"
        return Finding("leaks", "refused", says, candidate=float(len(leaking)), questions=leaking)
    return Finding("leaks", "passed", "no answer holds a canary", candidate=0.0)


def _latency(candidate: Sequence[Scored], pairs: Pairs, rules: GateRules, timed: bool) -> Iterator[Finding]:
    rule = rules.latency
    if rule.ratio is not None and not timed:
        yield Finding(
            "latency", "skipped", "kept results were not measured in this run; times of two runs are not compared"
        )
    elif rule.ratio is not None:
        yield _ratio(pairs, rules, rule.ratio)
    p95 = latency_percentiles(candidate).get("latency_ms_p95")
    if rule.p95_ms is not None and p95 is not None:
        over = p95 > rule.p95_ms
        says = f"95 of 100 questions stay under {p95:.0f} ms, the budget is {rule.p95_ms:g} ms"
        yield Finding("latency_p95", "refused" if over else "passed", says, candidate=p95)


def _ratio(pairs: Pairs, rules: GateRules, budget: float) -> Finding:
    times = [(x.latency_ms, y.latency_ms) for x, y in pairs if x.latency_ms is not None and y.latency_ms]
    if not times:
        return Finding("latency", "skipped", "no question was timed on both sides")
    ours, theirs = np.array(times, dtype=np.float64).T
    ratio = median(ours / theirs, Resampling(rules.resamples, rules.confidence, rules.seed))
    middle = float(np.median(ours)), float(np.median(theirs))
    slower = ratio.low > budget and middle[0] - middle[1] >= rules.latency.at_least_ms
    says = f"{ratio.value:.2f} times the champion's, question by question; the budget is {budget:g}"
    return Finding("latency", "refused" if slower else "passed", says, *middle, ratio)
