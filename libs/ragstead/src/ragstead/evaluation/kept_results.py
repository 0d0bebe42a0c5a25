"""A run's results by question, kept in a file: what a candidate is held against where no champion runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ragstead.errors import InvalidRequest
from ragstead.evaluation.measures import MEASURES, Score
from ragstead.evaluation.scoring import Scored

FORMAT = 1


@dataclass(frozen=True, slots=True)
class KeptResults:
    """What a file of results holds.

    Attributes:
        suite: Name of the suite.
        release: Of the pipeline that ran; empty where nothing says.
        metrics: The run's figures.
        results: By question; without answers and latencies, which another machine's are not compared with.
        judge: The model that gave its opinions; empty where none was asked.
    """

    suite: str
    release: str
    metrics: Mapping[str, float]
    results: tuple[Scored, ...]
    judge: str = ""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid")

    case: str
    p: float
    right: bool
    refused: bool
    scores: list[float | tuple[float, float] | None]
    spreads: dict[str, float] = {}


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    format: int
    suite: str
    release: str
    metrics: dict[str, float]
    measures: list[str]
    questions: dict[str, _Row]
    judge: str = ""

    @model_validator(mode="after")
    def _aligned(self) -> _File:
        strange = next((name for name, row in self.questions.items() if len(row.scores) != len(self.measures)), None)
        if strange is not None:
            raise ValueError(f"question {strange!r} has not one score for each measure")
        return self


def results_text(
    suite: str, metrics: Mapping[str, float], results: Sequence[Scored], judge: str = "", *, release: str = ""
) -> str:
    """Return the file's text: JSON with a line for each question, so that changes can be read in a diff."""
    releases = sorted({one.release for one in results if one.release}) or [release]
    measures = [name for name in MEASURES if any(name in one.scores for one in results)]
    told = {name: round(value, 4) for name, value in metrics.items() if not name.startswith("latency_")}
    head = {"format": FORMAT, "suite": suite, "release": ", ".join(releases), "metrics": told, "measures": measures}
    head |= {"judge": judge} if judge else {}
    lines = [f"  {json.dumps(name)}: {json.dumps(value)}," for name, value in head.items()]
    rows = [f"    {json.dumps(one.case_id)}: {json.dumps(_row(one, measures))}" for one in results]
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
    results = tuple(_scored(case_id, row, read.measures) for case_id, row in read.questions.items())
    return KeptResults(read.suite, read.release, read.metrics, results, read.judge)


def _row(one: Scored, measures: Sequence[str]) -> dict[str, Any]:
    return {
        "case": one.fingerprint,
        "p": round(one.p_supported, 4),
        "right": one.correct,
        "refused": one.refused,
        "scores": [_cell(one.scores.get(name)) for name in measures],
        **({"spreads": dict(one.spreads)} if one.spreads else {}),
    }


def _cell(score: Score | None) -> float | list[float] | None:
    if score is None:
        return None
    value = int(score.value) if score.value.is_integer() else score.value
    return value if score.weight == 1 else [value, score.weight]


def _scored(case_id: str, row: _Row, measures: Sequence[str]) -> Scored:
    scores = {
        name: Score(*cell) if isinstance(cell, tuple) else Score(cell)
        for name, cell in zip(measures, row.scores, strict=True)
        if cell is not None and name in MEASURES
    }
    return Scored(case_id, row.case, (), scores, row.p, row.right, row.refused, spreads=row.spreads)
