"""The gate's judgement as Markdown for people, JUnit XML for CI, and JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from ragstead.evaluation.findings import Finding
from ragstead.evaluation.gate import GateReport
from ragstead.evaluation.resampling import Interval

_WORST = 10
"""Questions named under a measure."""


@dataclass(frozen=True, slots=True)
class GateHeading:
    """What a report is about.

    Attributes:
        suite: Name of the suite.
        candidate: What was judged: its release, and where it came from.
        champion: What it was held against.
        seconds: How long it took.
    """

    suite: str
    candidate: str
    champion: str
    seconds: float


def gate_document(heading: GateHeading, report: GateReport) -> dict[str, Any]:
    """Return the report as one JSON document."""
    return {
        "verdict": "passed" if report.passed else "refused",
        "refused": list(report.refused),
        "suite": heading.suite,
        "candidate": heading.candidate,
        "champion": heading.champion,
        "questions": report.compared,
        "left_out": report.left_out,
        "seconds": round(heading.seconds, 1),
        "findings": [_finding(one) for one in report.findings],
        "metrics": {"candidate": _rounded(report.candidate), "champion": _rounded(report.champion)},
    }


def gate_markdown(heading: GateHeading, report: GateReport, questions: Mapping[str, str]) -> str:
    """Return the report as Markdown.

    Args:
        heading: What it is about.
        report: The judgement.
        questions: Their words by id, for those that got worse.
    """
    verdict = "passed" if report.passed else f"refused: {', '.join(report.refused)}"
    lines = [
        f"# Gate: {verdict}",
        "",
        f"Candidate {heading.candidate} against champion {heading.champion}, {report.compared} questions of the suite "
        f"{heading.suite}, in {heading.seconds:.0f} s.",
        "",
        "| measure | candidate | champion | difference (interval) | outcome | |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_line(one) for one in report.findings),
    ]
    if report.left_out:
        lines += ["", f"{report.left_out} questions are on one side alone, or changed, and were not compared."]
    for one in report.findings:
        if one.questions and one.outcome in {"refused", "told"}:
            lines += ["", f"## Worse in {one.name}", "", *_worse(one.questions, questions)]
    return "\n".join(lines) + "\n"


def gate_junit(heading: GateHeading, report: GateReport, questions: Mapping[str, str]) -> str:
    """Return the report as JUnit XML: a test case for each finding; what is refused failed, what is skipped skipped."""
    skipped = sum(one.outcome == "skipped" for one in report.findings)
    counts = {"tests": len(report.findings), "failures": len(report.refused), "errors": 0, "skipped": skipped}
    figures = {name: str(value) for name, value in counts.items()}
    time = f"{heading.seconds:.3f}"
    root = ET.Element("testsuites", {"name": "ragstead gate", **figures, "time": time})
    suite = ET.SubElement(root, "testsuite", {"name": _printable(heading.suite), **figures, "time": time})
    for one in report.findings:
        case = ET.SubElement(suite, "testcase", {"classname": "ragstead.gate", "name": one.name, "time": "0"})
        if one.outcome == "refused":
            failure = ET.SubElement(case, "failure", {"message": _printable(one.says), "type": "regression"})
            failure.text = _printable("\n".join([_figures(one), *_worse(one.questions, questions)]))
        elif one.outcome == "skipped":
            ET.SubElement(case, "skipped", {"message": _printable(one.says)})
        else:
            ET.SubElement(case, "system-out").text = _printable(f"{one.says}: {_figures(one)}")
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _finding(one: Finding) -> dict[str, Any]:
    interval = one.difference
    return {
        "name": one.name,
        "outcome": one.outcome,
        "says": one.says,
        "candidate": _short(one.candidate),
        "champion": _short(one.champion),
        "difference": None if interval is None else [_short(x) for x in (interval.value, interval.low, interval.high)],
        "questions": list(one.questions),
        **({} if one.spread is None else {"spread": [_short(value) for value in one.spread]}),
    }


def _line(one: Finding) -> str:
    difference = "" if one.difference is None else _interval(one.difference)
    outcome = f"**{one.outcome}**" if one.outcome == "refused" else one.outcome
    return f"| {one.name} | {_cell(one.candidate)} | {_cell(one.champion)} | {difference} | {outcome} | {one.says} |"


def _figures(one: Finding) -> str:
    difference = "" if one.difference is None else f", difference {_interval(one.difference)}"
    return f"candidate {_cell(one.candidate) or '-'}, champion {_cell(one.champion) or '-'}{difference}"


def _interval(interval: Interval) -> str:
    return f"{interval.value:+.4f} ({interval.low:+.4f} to {interval.high:+.4f})"


def _worse(ids: Sequence[str], questions: Mapping[str, str]) -> list[str]:
    more = [f"- and {len(ids) - _WORST} more"] if len(ids) > _WORST else []
    return [f"- {case_id}: {' '.join(questions.get(case_id, '').split())}" for case_id in ids[:_WORST]] + more


def _cell(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}" if value < 1 else f"{value:.4g}"


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def _rounded(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in metrics.items()}


def _printable(text: str) -> str:
    """Without what XML 1.0 can't hold."""
    return "".join(
        char if char in "\t\n\r" or " " <= char < "\ud800" or "\ue000" <= char <= "\ufffd" or char > "\uffff" else " "
        for char in text
    )
