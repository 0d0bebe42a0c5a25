"""A run's results by question, kept in a file: what a candidate is held against where no champion runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from ragstead.errors import InvalidRequest
from ragstead.evaluation.measures import MEASURES, Score
from ragstead.evaluation.scoring import Scored

FORMAT = 1
_UNJUDGED = ("cost_usd", "words_per_answer")


@dataclass(frozen=True, slots=True)
class KeptResults:
    """What a file of results holds.

    Attributes:
        suite: Name of the suite.
        release: Of the pipeline that ran; empty where nothing says.
        metrics: The run's figures.
        results: By question; without answers and latencies, which another machine's are not compared with.
    """

    suite: str
    release: str
    metrics: Mapping[str, float]
    results: tuple[Scored, ...]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    case: str
    p: float
    right: bool
    refused: bool
    scores: dict[str, float | tuple[float, float]]


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: int
    suite: str
    release: str
    metrics: dict[str, float]
    questions: dict[str, _Row]


def results_text(suite: str, metrics: Mapping[str, float], results: Sequence[Scored]) -> str:
    """Return the file's text: JSON with a line for each question, so that changes can be read in a diff."""
    releases = sorted({one.release for one in results if one.release})
    told = {name: round(value, 4) for name, value in metrics.items() if not name.startswith("latency_")}
    head = {"format": FORMAT, "suite": suite, "release": ", ".join(releases), "metrics": told}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    rows = [f"    {json.dumps(one.case_id)}: {json.dumps(_row(one))}" for one in results]
    return "\n".join(["{", *lines, '  "questions": {', ",\n".join(rows), "  }", "}"]) + "\n"


def read_results(path: Path) -> KeptResults:
    """Return what a file of results holds.

    Raises:
        InvalidRequest: If it can't be read, or is none.
    """
    try:
        read = _File.model_validate_json(path.read_bytes())
    except OSError as exc:
        raise InvalidRequest(f"{path} can't be read: {exc.strerror}") from exc
    except ValidationError as exc:
        raise InvalidRequest(f"{path} holds no kept results: {exc.errors()[0]['msg']}") from exc
    if read.format != FORMAT:
        raise InvalidRequest(f"{path} has the format {read.format}, not {FORMAT}; keep the results anew")
    results = tuple(_scored(case_id, row) for case_id, row in read.questions.items())
    return KeptResults(read.suite, read.release, read.metrics, results)


def _row(one: Scored) -> dict[str, Any]:
    scores = {name: _cell(score) for name, score in one.scores.items() if name in MEASURES and name not in _UNJUDGED}
    return {
        "case": one.fingerprint,
        "p": round(one.p_supported, 4),
        "right": one.correct,
        "refused": one.refused,
        "scores": scores,
    }


def _cell(score: Score) -> float | list[float]:
    return score.value if score.weight == 1 else [score.value, score.weight]


def _scored(case_id: str, row: _Row) -> Scored:
    scores = {
        name: Score(*cell) if isinstance(cell, tuple) else Score(cell)
        for name, cell in row.scores.items()
        if name in MEASURES
    }
    return Scored(case_id, row.case, (), scores, row.p, row.right, row.refused)
