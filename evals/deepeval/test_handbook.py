"""Every answer's citations hold, and as many answers are right as were when the results beside the suite were kept."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from evals.deepeval.conftest import QUESTIONS, SUITE
from ragstead.bootstrap.evaluation import yardstick
from ragstead.bootstrap.gate_sides import baseline_of
from ragstead.bootstrap.judging import deepeval_metrics
from ragstead.evaluation.kept_results import read_results
from ragstead.evaluation.suites import Case, Suite, read_suite, sampled
from ragstead.ports.evaluated import AnswerRecord

YARDSTICK = yardstick(read_suite(SUITE))
BLOCK = ("citations_valid", "answers_cited")
"""Measures that every single answer has to pass."""
TELL = ("answers_contained", "citation_precision", "citation_recall", "groundedness", "refusal_recall")
"""Measures that stand in DeepEval's report and fail no single answer; the gate judges them over all."""
MARGIN = 0.02


@pytest.mark.parametrize("case", sampled(read_suite(SUITE), QUESTIONS).questions, ids=lambda case: case.id)
def test_answer(case: Case, answers: Mapping[str, AnswerRecord]) -> None:
    """Hold one answer against the measures of one question."""
    ours = deepeval_metrics()
    from deepeval.evaluate import assert_test  # noqa: PLC0415  (after it was told to be quiet)

    strict = [ours.MeasureMetric(name, YARDSTICK) for name in BLOCK]
    told = [ours.MeasureMetric(name, YARDSTICK, threshold=0.0) for name in TELL]
    assert_test(ours.test_case_of(case, answers[case.id]), [*strict, *told], run_async=False)


def test_as_many_answers_are_right_as_before(suite: Suite, answers: Mapping[str, AnswerRecord]) -> None:
    """Hold the share of right answers against the kept one."""
    ours = deepeval_metrics()
    metric = ours.MeasureMetric("answers_contained", YARDSTICK)
    scores = [metric.measure(ours.test_case_of(case, answers[case.id])) for case in suite.questions if case.answerable]
    asked = {case.id for case in suite.questions if case.answerable}
    kept = [one.correct for one in read_results(baseline_of(SUITE)).results if one.case_id in asked]
    assert sum(scores) / len(scores) >= sum(kept) / len(kept) - MARGIN
