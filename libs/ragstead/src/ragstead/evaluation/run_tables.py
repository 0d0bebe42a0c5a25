"""A run's results as a table: a row for each question, a column for each thing known about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ragstead.evaluation.measures import MEASURES
from ragstead.evaluation.scoring import Scored
from ragstead.ports.experiments import Cell, Table

_FIXED = (
    "id",
    "question",
    "tags",
    "answer",
    "refused",
    "answerable",
    "correct",
    "p_supported",
    "latency_ms",
    "leaks",
    "trace_id",
)


def ranking_table(results: Sequence[Scored], questions: Mapping[str, str]) -> Table:
    """Return the table of a run over rankings.

    Args:
        results: By query.
        questions: Their words by id.
    """
    said = [name for name in MEASURES if any(name in one.scores for one in results)]
    rows = [
        [one.case_id, questions.get(one.case_id, ""), _latency(one), *(_value(one, name) for name in said)]
        for one in results
    ]
    return Table(["id", "question", "latency_ms", *said], rows)


def question_table(results: Sequence[Scored], questions: Mapping[str, str]) -> Table:
    """Return the table of a run.

    Args:
        results: By question.
        questions: Their words by id.
    """
    said = [name for name in MEASURES if any(name in one.scores for one in results)]
    judged = [name for name in said if any(name in one.spreads for one in results)]
    rows = [
        [*_fixed(one, questions), *(_value(one, name) for name in said), *(one.spreads.get(name) for name in judged)]
        for one in results
    ]
    return Table([*_FIXED, *said, *(f"{name}_spread" for name in judged)], rows)


def _fixed(one: Scored, questions: Mapping[str, str]) -> list[Cell]:
    return [
        one.case_id,
        questions.get(one.case_id, ""),
        " ".join(one.tags),
        one.answer,
        one.refused,
        one.answerable,
        one.correct,
        round(one.p_supported, 4),
        _latency(one),
        len(one.leaks),
        one.trace_id,
    ]


def _latency(one: Scored) -> float | None:
    return None if one.latency_ms is None else round(one.latency_ms, 2)


def _value(one: Scored, name: str) -> float | None:
    score = one.scores.get(name)
    return None if score is None else score.value
