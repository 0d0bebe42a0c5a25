"""Our deterministic measures as metrics of DeepEval: no model, no network."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from deepeval.metrics import BaseMetric
from deepeval.test_case import LLMTestCase

from ragstead.errors import InvalidRequest
from ragstead.evaluation.measures import MEASURES, measures_of
from ragstead.evaluation.scoring import Yardstick, score_question
from ragstead.evaluation.suites import Case
from ragstead.ports.evaluated import AnswerRecord, CitedQuote

_KEY = "ragstead"
"""Under which a test case's metadata hold our case and record."""


def test_case_of(case: Case, record: AnswerRecord) -> LLMTestCase:
    """Return a case of a suite and the answer that it got as a test case of DeepEval."""
    quotes = [quote.quote for quote in record.quotes]
    return LLMTestCase(
        input=case.question,
        actual_output=record.content,
        expected_output="; ".join(case.answers) or None,
        context=quotes or None,
        retrieval_context=list(quotes),
        tags=list(case.tags) or None,
        metadata={_KEY: {"case": case.model_dump(mode="json"), "record": asdict(record)}},
    )


test_case_of.__test__ = False  # type: ignore[attr-defined]  # pytest takes the name for a test


class MeasureMetric(BaseMetric):  # type: ignore[no-untyped-call]
    """One of our measures, for one question.

    A test case of `test_case_of` is scored as the gate scores it; of another one its output is taken for an answer
    without citations, and its expected output for the gold one. Measures of which less is better are turned round:
    `1 - value`. A measure that says nothing about the question is skipped.

    Args:
        name: Of a measure with values in [0, 1].
        yardstick: What answers are held against.
        threshold: Score from which the test passes.

    Raises:
        InvalidRequest: If there is no such measure, or its values are not in [0, 1].
    """

    async_mode = False

    def __init__(self, name: str, yardstick: Yardstick, threshold: float = 1.0) -> None:
        ours = [one for one in measures_of("answer") if one not in {"cost_usd", "words_per_answer"}]
        if name not in ours:
            raise InvalidRequest(f"{name!r} is no measure that a test case can pass; there are {', '.join(ours)}")
        self.measured = name
        self.yardstick = yardstick
        self.threshold = threshold

    def measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float:
        """Return the score in [0, 1], 1 where the measure says nothing; sets `score`, `success`, `reason`."""
        case, record = _parts(test_case)
        found = score_question(case, record, None, self.yardstick).scores.get(self.measured)
        measure = MEASURES[self.measured]
        self.error = None
        self.skipped = found is None
        value = measure.of_nothing if found is None else found.value
        self.score = value if measure.higher_is_better else 1 - value
        self.reason = f"{measure.says}: {value:.4g}" if found is not None else "it says nothing about this question"
        self.success = found is None or self.score >= (self.threshold or 0)
        return self.score

    async def a_measure(self, test_case: LLMTestCase, *_: Any, **__: Any) -> float:
        """Return the same as `measure`, which takes no time worth waiting for."""
        return self.measure(test_case)

    def is_successful(self) -> bool:
        """Return whether the last test case passed."""
        return bool(self.success)

    @property
    def __name__(self) -> str:
        return f"ragstead {self.measured}"


def _parts(test_case: LLMTestCase) -> tuple[Case, AnswerRecord]:
    kept = (test_case.metadata or {}).get(_KEY)
    if kept is None:
        gold = (test_case.expected_output,) if test_case.expected_output else ()
        case = Case(id="case", question=test_case.input, answers=gold)
        return case, AnswerRecord(test_case.actual_output or "", refused=False, p_supported=0.0)
    fields = dict(kept["record"])
    quotes = tuple(CitedQuote(**quote) for quote in fields.pop("quotes"))
    return Case.model_validate(kept["case"]), AnswerRecord(**fields, quotes=quotes)
