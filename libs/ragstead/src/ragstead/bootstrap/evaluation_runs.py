"""Finished evaluation runs: their figures, tables and plots, kept on disk and handed to the port of experiments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragstead.calibration import area_under_risk_coverage, reliability_bins, risk_coverage
from ragstead.evaluation.kept_results import results_text
from ragstead.evaluation.opinions import Judging
from ragstead.evaluation.run_tables import question_table
from ragstead.evaluation.scoring import Scored
from ragstead.evaluation.summaries import summaries_by_tag
from ragstead.ports.experiments import FinishedRun, Table
from ragstead.settings import Settings

QUESTIONS = "questions"
"""Name of the table by question."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A run over a suite, as it ended.

    Attributes:
        run_id: Names it.
        suite: Name of the suite.
        settings: What ran.
        metrics: What it came to.
        results: By question.
        questions: Their words by id.
        started_at: Unix seconds.
        seconds: How long it took.
        judging: How far a judge came; None where none was asked.
    """

    run_id: str
    suite: str
    settings: Settings
    metrics: Mapping[str, float]
    results: Sequence[Scored]
    questions: Mapping[str, str]
    started_at: float
    seconds: float
    judging: Judging | None = None

    @property
    def judge(self) -> str:
        """The model that judged; empty where none was asked."""
        return "" if self.judging is None else self.judging.judge

    @property
    def release(self) -> str:
        """Release that answered; empty where no question was answered."""
        return next((one.release for one in self.results if one.release), "")


def finished(run: SuiteRun) -> FinishedRun:
    """Return the run with parameters, metrics, tables and plots, as experiments keep it."""
    by_tag = summaries_by_tag(run.results)
    names = sorted({name for metrics in by_tag.values() for name in metrics})
    rows = [[tag, *(metrics.get(name) for name in names)] for tag, metrics in by_tag.items()]
    tables = {QUESTIONS: question_table(run.results, run.questions), "tags": Table(["tag", *names], rows)}
    return FinishedRun(
        experiment=run.suite,
        name=run.run_id,
        release_id=run.release,
        parameters={**parameters_of(run.settings), **_judged_by(run.judging)},
        metrics=run.metrics,
        tables=tables,
        files={**plots(run.results), "results.json": results_text(run.suite, run.metrics, run.results, run.judge)},
        tags={"kind": "evaluation"},
        started_at=run.started_at,
        seconds=run.seconds,
    )


def _judged_by(judging: Judging | None) -> dict[str, str]:
    if judging is None:
        return {}
    return {
        "judge.model": judging.judge,
        "judge.repeats": str(judging.repeats),
        "judge.measures": ", ".join(judging.coverage),
        **({"judge.not_judged": json.dumps(judging.not_judged)} if judging.not_judged else {}),
    }


def plots(results: Sequence[Scored]) -> dict[str, bytes]:
    """Return the plots of a run by file name; none where there are no results."""
    from ragstead.adapters.matplotlib import (  # noqa: PLC0415  (half a second, when it is needed)
        latency_histogram,
        reliability_plot,
        risk_coverage_plot,
    )

    if not results:
        return {}
    p = [one.p_supported for one in results]
    correct = [one.correct for one in results]
    drawn = {
        "reliability.png": reliability_plot(reliability_bins(p, [one.answerable for one in results])),
        "risk_coverage.png": risk_coverage_plot(risk_coverage(p, correct), area_under_risk_coverage(p, correct)),
    }
    timed = [one.latency_ms for one in results if one.latency_ms is not None]
    return {**drawn, "latency.png": latency_histogram(timed)} if timed else drawn


def parameters_of(settings: Settings) -> dict[str, str]:
    """Return the pipeline's settings as flat parameters, `retrieval.alpha` and the like; texts of models left out."""
    tree = settings.pipeline.model_dump(mode="json", exclude={"embedder": {"models"}})
    return {
        f"{section}.{name}": json.dumps(value) if not isinstance(value, str) else value
        for section, fields in tree.items()
        for name, value in fields.items()
    }


def keep(run: FinishedRun, folder: Path) -> None:
    """Write a run's tables and files into a folder of its own, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in run.tables.items():
        lines = (json.dumps(dict(zip(table.columns, row, strict=True))) + "\n" for row in table.rows)
        (folder / f"{name}.jsonl").write_text("".join(lines), "utf-8")
    for name, content in run.files.items():
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
