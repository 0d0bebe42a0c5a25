"""Our measures that need no gold, as DeepEval's metrics, on answers that nobody wrote a case for."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.adapters.deepeval.metrics import MeasureMetric, test_case_of
from ragstead.evaluation.scoring import Yardstick
from ragstead.evaluation.suites import Case
from ragstead.ports.judge import JudgedAnswer, Judgement


class MeasuredJudge:
    """Is a `Judge` that asks nobody: no model, no network, and the same answer is judged the same.

    Args:
        measures: Which; of those of which less is better, what it says is `1 - value`.
        yardstick: What answers are held against.

    Raises:
        InvalidRequest: If a measure is unknown.
    """

    def __init__(self, measures: Sequence[str], yardstick: Yardstick) -> None:
        self._metrics = [MeasureMetric(name, yardstick) for name in measures]

    async def judge(self, answer: JudgedAnswer) -> list[Judgement]:
        """Return what the measures say about an answer that has its record; those that say nothing are left out."""
        if answer.record is None:
            return []
        case = test_case_of(Case(id=answer.trace_id, question=answer.question), answer.record)
        found = [(metric, metric.measure(case)) for metric in self._metrics]
        return [Judgement(one.measured, value, 0.0, 1, one.reason or "") for one, value in found if not one.skipped]
