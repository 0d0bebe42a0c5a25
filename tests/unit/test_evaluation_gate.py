"""The gate's judgement: its intervals, its rule, how often it errs, and its reports."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from ragstead.errors import InvalidRequest
from ragstead.evaluation.gate import judge
from ragstead.evaluation.gate_reports import GateHeading, gate_document, gate_junit, gate_markdown
from ragstead.evaluation.kept_results import read_results, results_text
from ragstead.evaluation.measures import Score
from ragstead.evaluation.resampling import Compared, Interval, Resampling, Weighted, differences_of_means, median
from ragstead.evaluation.rules import GateRules, read_rules
from ragstead.evaluation.scoring import Scored

RULES = GateRules(resamples=2000)
HEADING = GateHeading("handbook", "r-new", "r-old", 12.3)
ROOT = Path(__file__).resolve().parents[2]


def results(right: Sequence[float], **more: object) -> list[Scored]:
    """Questions whose answers are right or not."""
    return [
        Scored(f"q{n}", "f", (), {"answers_contained": Score(float(value))}, 0.5, bool(value), refused=False, **more)  # type: ignore[arg-type]
        for n, value in enumerate(right)
    ]


def difference(a: Weighted, b: Weighted, plan: Resampling, *, of_nothing: float = 1.0) -> Interval:
    return differences_of_means([Compared(a, b, of_nothing)], plan)[0]


def vectors(values: np.ndarray) -> Weighted:
    return Weighted(values, np.ones_like(values))


def test_interval_agrees_with_scipys_percentile_bootstrap() -> None:
    generator = np.random.default_rng(1)
    a, b = (generator.random(150) < share for share in (0.6, 0.75))
    ours = difference(vectors(a.astype(float)), vectors(b.astype(float)), Resampling(10_000, 0.95, 3), of_nothing=1.0)
    theirs = scipy.stats.bootstrap(
        (a.astype(float), b.astype(float)),
        lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=generator,
    ).confidence_interval
    assert ours.value == pytest.approx(a.mean() - b.mean())
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.008)


def test_interval_of_a_ratio_agrees_with_scipys() -> None:
    """Weights make the mean a ratio of sums, as of citations."""
    generator = np.random.default_rng(2)
    values, weights = generator.random(120), generator.integers(0, 4, 120).astype(float)
    none = Weighted(np.zeros(120), np.zeros(120))
    ours = difference(Weighted(values, weights), none, Resampling(10_000, 0.9, 3), of_nothing=0.0)
    theirs = scipy.stats.bootstrap(
        (values, weights),
        lambda v, w, axis: (v * w).sum(axis=axis) / w.sum(axis=axis),
        paired=True,
        method="percentile",
        confidence_level=0.9,
        n_resamples=10_000,
        rng=generator,
    ).confidence_interval
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_interval_of_the_median_agrees_with_scipys() -> None:
    values = np.random.default_rng(4).lognormal(size=101)
    ours = median(values, Resampling(10_000, 0.95, 3))
    theirs = scipy.stats.bootstrap((values,), np.median, method="percentile", n_resamples=10_000, rng=5)
    low, high = theirs.confidence_interval
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.03)


@settings(max_examples=30)
@given(st.lists(st.floats(0, 1), max_size=30), st.integers(0, 5))
def test_equal_sides_differ_by_nothing_with_certainty(values: list[float], seed: int) -> None:
    side = vectors(np.array(values))
    interval = difference(side, side, Resampling(200, 0.95, seed), of_nothing=1.0)
    assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_resamples_in_blocks_are_the_resamples_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = vectors(np.random.default_rng(0).random(50))
    zero = vectors(np.zeros(50))
    at_once = difference(values, zero, Resampling(2000, 0.9, 1), of_nothing=0.0)
    monkeypatch.setattr("ragstead.evaluation.resampling._BLOCK_CELLS", 500)
    assert difference(values, zero, Resampling(2000, 0.9, 1), of_nothing=0.0) == at_once


def test_lengths_that_differ_and_plans_without_resamples_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="same questions"):
        difference(vectors(np.ones(2)), vectors(np.ones(3)), Resampling(), of_nothing=1.0)
    with pytest.raises(InvalidRequest, match="0 resamples"):
        Resampling(0)
    sizes = [Compared(vectors(np.ones(n)), vectors(np.ones(n)), 1.0) for n in (2, 3)]
    with pytest.raises(InvalidRequest, match="different numbers"):
        differences_of_means(sizes, Resampling())


def test_regression_is_refused_with_its_measure_and_its_questions() -> None:
    report = judge(results([1] * 180 + [0] * 20), results([1] * 200), RULES, timed=False)
    assert report.refused == ("answers_contained",)
    finding = report.findings[0]
    assert (finding.candidate, finding.champion) == (0.9, 1.0)
    assert finding.questions == tuple(f"q{n}" for n in range(180, 200))


def test_gain_passes_and_so_does_a_loss_within_the_margin() -> None:
    assert judge(results([1] * 200), results([0] * 50 + [1] * 150), RULES, timed=False).passed
    wide = GateRules(resamples=2000, measures={"answers_contained": {"margin": 0.2}})  # type: ignore[dict-item]
    assert judge(results([1] * 180 + [0] * 20), results([1] * 200), wide, timed=False).passed


def test_measure_that_does_not_block_is_told_and_stops_nothing() -> None:
    rules = GateRules(resamples=2000, measures={"answers_contained": {"blocks": False}})  # type: ignore[dict-item]
    report = judge(results([1] * 150 + [0] * 50), results([1] * 200), rules, timed=False)
    assert report.passed
    assert {one.name: one.outcome for one in report.findings}["answers_contained"] == "told"


def test_measure_where_less_is_better_is_refused_when_it_rises() -> None:
    def fabricated(share: float) -> list[Scored]:
        return [replace(one, scores={"citations_fabricated": Score(share, 2)}) for one in results([1] * 40)]

    assert judge(fabricated(0.5), fabricated(0.0), RULES, timed=False).refused == ("citations_fabricated",)
    assert judge(fabricated(0.0), fabricated(0.5), RULES, timed=False).passed


def test_one_broken_citation_or_one_leak_is_enough() -> None:
    same = results([1] * 50)
    broken = [replace(same[0], scores={**same[0].scores, "citations_valid": Score(0.5, 2)}), *same[1:]]
    leaking = [replace(same[0], leaks=("CANARY",)), *same[1:]]
    assert judge(broken, same, RULES, timed=False).refused == ("citations_valid",)
    report = judge(leaking, same, RULES, timed=False)
    assert report.refused == ("leaks",)
    assert report.findings[0].questions == ("q0",)


def timed(ms: Sequence[float]) -> list[Scored]:
    return [replace(one, latency_ms=float(time)) for one, time in zip(results([1] * len(ms)), ms, strict=True)]


def test_twice_the_latency_is_refused_and_noise_is_not() -> None:
    generator = np.random.default_rng(7)
    ours, theirs = (20 * generator.lognormal(0, 0.3, 120) for _ in range(2))
    assert judge(timed(ours), timed(theirs), RULES, timed=True).passed
    assert judge(timed(2 * ours), timed(theirs), RULES, timed=True).refused == ("latency",)


def test_twice_next_to_nothing_is_no_regression() -> None:
    assert judge(timed([0.4] * 50), timed([0.2] * 50), RULES, timed=True).passed


def test_a_few_stalled_questions_are_no_regression() -> None:
    assert judge(timed([20.0] * 90 + [2000.0] * 10), timed([20.0] * 100), RULES, timed=True).passed


def test_times_of_two_runs_are_not_compared_and_the_report_says_so() -> None:
    report = judge(timed([90.0] * 50), timed([10.0] * 50), RULES, timed=False)
    assert report.passed
    assert {one.name: one.outcome for one in report.findings}["latency"] == "skipped"


def test_latency_budget_in_milliseconds_is_held_without_a_champion_beside() -> None:
    rules = GateRules(resamples=2000, latency={"p95_ms": 50})  # type: ignore[arg-type]
    assert judge(timed([60.0] * 50), timed([60.0] * 50), rules, timed=False).refused == ("latency_p95",)


def test_questions_that_changed_are_left_out_and_counted() -> None:
    ours = [replace(one, fingerprint="new") if one.case_id == "q0" else one for one in results([0, 1, 1])]
    report = judge(ours, results([1, 1, 1]), RULES, timed=False)
    assert (report.compared, report.left_out) == (2, 2)
    with pytest.raises(InvalidRequest, match="no question in common"):
        judge(ours[:1], results([1]), RULES, timed=False)


def simulated(generator: np.random.Generator, n: int, flips: float, loss: float) -> bool:
    """Whether the gate refuses a candidate that loses a share of the questions, where both sides are noisy."""
    truth = generator.random(n) < 0.75
    noisy = [truth ^ (generator.random(n) < flips) for _ in range(2)]
    candidate = noisy[0] & (generator.random(n) >= loss)
    rules = GateRules(resamples=2000, seed=int(generator.integers(1000)))
    return not judge(results(candidate.astype(float)), results(noisy[1].astype(float)), rules, timed=False).passed


def test_error_rates_of_the_rule_are_those_that_the_documentation_gives() -> None:
    """275 answerable questions, as the handbook has; docs/gate.md tells these figures."""
    generator = np.random.default_rng(11)
    same = np.mean([simulated(generator, 275, 0.0, 0.0) for _ in range(20)])
    noisy = np.mean([simulated(generator, 275, 0.02, 0.0) for _ in range(100)])
    small = np.mean([simulated(generator, 275, 0.0, 0.05) for _ in range(40)])
    large = np.mean([simulated(generator, 275, 0.02, 0.10) for _ in range(40)])
    assert same == 0
    assert noisy <= 0.05
    assert small >= 0.9
    assert large >= 0.9


def test_results_kept_and_read_again_differ_by_nothing(tmp_path: Path) -> None:
    one = Scored("q", "f", ("t",), {"citation_precision": Score(0.333333), "citations_valid": Score(1.0, 3)}, 0.5, True,
                 refused=False, latency_ms=3.0, release="r-1")  # fmt: skip
    path = tmp_path / "kept.json"
    path.write_text(results_text("s", {"latency_ms_p50": 3.0, "answers_contained": 1.0}, [one]))
    kept = read_results(path)
    assert (kept.suite, kept.release, dict(kept.metrics)) == ("s", "r-1", {"answers_contained": 1.0})
    assert kept.results == (replace(one, tags=(), latency_ms=None, release=""),)
    report = judge([one], kept.results, RULES, timed=False)
    assert report.passed
    assert report.compared == 1


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"format": 2, "suite": "", "release": "", "metrics": {}, "measures": [], "questions": {}}']
)
def test_file_that_holds_no_results_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "kept.json"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=r"kept\.json"):
        read_results(path)
    with pytest.raises(InvalidRequest, match=r"nowhere\.json"):
        read_results(tmp_path / "nowhere.json")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("measures: {magic: {margin: 1}}", "'magic' is none of"),
        ("measures: {citations_valid: {margin: 1}}", "always blocks"),
        ("resamples: 10", "greater than or equal to 2000"),
        ("margins: 1", "margins"),
        ("- 1", "valid dictionary"),
        ("{", "can't be read"),
    ],
)
def test_rules_that_are_off_are_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    with pytest.raises(InvalidRequest, match=told):
        read_rules(path)


def test_committed_rules_are_the_defaults() -> None:
    assert read_rules(ROOT / "evals" / "gate.yaml") == GateRules() == read_rules(None)


def test_reports_name_what_was_refused_in_markdown_junit_and_json() -> None:
    ours = [replace(one, leaks=("x" * 8,)) if one.case_id == "q3" else one for one in results([1] * 150 + [0] * 50)]
    report = judge(ours, results([1] * 200), RULES, timed=False)
    words = {f"q{n}": f"question\x07 {n} <&>" for n in range(200)}
    text = gate_markdown(HEADING, report, words)
    assert text.startswith("# Gate: refused: leaks, answers_contained\n")
    assert "- q150: question" in text
    assert "- and 40 more" in text
    root = ET.fromstring(gate_junit(HEADING, report, words))
    failed = [one.get("name") for one in root.iter("testcase") if one.find("failure") is not None]
    assert failed == ["leaks", "answers_contained"]
    assert root.get("failures") == "2"
    assert int(root.get("tests", "0")) == len(list(root.iter("testcase")))
    document = json.loads(json.dumps(gate_document(HEADING, report)))
    assert (document["verdict"], document["refused"]) == ("refused", ["leaks", "answers_contained"])


def test_report_of_a_pass_says_so() -> None:
    report = judge(results([1, 0]), results([1, 0]), RULES, timed=False)
    assert gate_markdown(HEADING, report, {}).startswith("# Gate: passed\n")
    assert ET.fromstring(gate_junit(HEADING, report, {})).get("failures") == "0"
