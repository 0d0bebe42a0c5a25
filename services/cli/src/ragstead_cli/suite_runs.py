"""Runs a suite of questions and keeps what came of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ragstead.bootstrap.answer_judging import evidence_below, judged_answers, judging_plan, open_answer_judging
from ragstead.bootstrap.evaluation import COLLECTION, open_system, yardstick
from ragstead.bootstrap.evaluation_runs import SuiteRun, finished, keep
from ragstead.bootstrap.releasing import served_settings
from ragstead.evaluation.kept_results import results_text
from ragstead.evaluation.suites import Suite, read_suite
from ragstead.evaluation.summaries import summaries_by_tag, summary
from ragstead.model import egress_allowed
from ragstead.pipelines.evaluate import SuiteEvaluation
from ragstead_cli.api import store_path
from ragstead_cli.evaluated_api import ApiSystem
from ragstead_cli.output import Bar, log_in_lines, progress_display, say
from ragstead_cli.queries import Options
from ragstead_cli.session import connect
from ragstead_cli.tracking import logged

if TYPE_CHECKING:
    from ragstead.evaluation.opinions import Judging
    from ragstead.evaluation.scoring import Scored
    from ragstead.pipelines.judge_answers import JudgingPlan
    from ragstead.ports.evaluated import EvaluatedSystem
    from ragstead.settings import Settings
    from ragstead_cli.api import Json
    from ragstead_cli.verb import Invocation


@dataclass(frozen=True, slots=True)
class SuiteTask:
    """What is to be run.

    Attributes:
        path: The suite's file.
        options: How questions are asked.
        fresh: Whether on a platform of its own with the suite's documents.
        at_once: Questions asked at once.
        opinions: In which respects a model judges the answers.
    """

    path: Path
    options: Options
    fresh: bool
    at_once: int
    opinions: tuple[str, ...] = ()


async def run_suite(
    invocation: Invocation, settings: Settings, task: SuiteTask, run_id: str, kept: Path | None
) -> Json:
    """Ask a suite's questions, keep what came of it, and return the run as `--json` prints it."""
    suite = read_suite(task.path)
    began, started_at = time.monotonic(), time.time()
    async with _system(invocation, settings, suite, task) as (system, collection, plan):
        below = evidence_below() if plan is not None else None
        evaluation = SuiteEvaluation(collection, yardstick(suite, settings), evidence_below=below)
        with progress_display() as progress:
            asking = Bar(progress, "asking", len(suite.questions))
            results = await evaluation.measure(system, suite.questions, asking.reach, limit=task.at_once)
        answered_by = settings if task.fresh else served_settings(settings)
    judging: Judging | None = None
    if plan is not None:
        results, judging = await _judged(settings, plan, suite, results, answered_by.pipeline.answer.passages)
    metrics = rounded(summary(results))
    questions = {case.id: case.question for case in suite.questions}
    seconds = time.monotonic() - began
    run = SuiteRun(run_id, suite.name, answered_by, metrics, results, questions, started_at, seconds, judging)
    if kept is not None:
        await asyncio.to_thread(write_text, kept, results_text(suite.name, metrics, results, run.judge))
    by_tag = {tag: rounded(metrics) for tag, metrics in summaries_by_tag(results).items()}
    document: Json = {"metrics": metrics, "run_id": run_id, "release": run.release, "tags": by_tag}
    if judging is not None:
        document |= {"judge": {"model": judging.judge, "repeats": judging.repeats}, "not_judged": judging.not_judged}
    ended = finished(run)
    keep(ended, settings.deployment.data_dir / "evals" / run_id)
    _write(settings.deployment.data_dir / "evals", run, document, task.path)
    mlflow_run = await logged(settings, ended)
    return {**document, "mlflow_run_id": mlflow_run or None}


def rounded(metrics: dict[str, float]) -> dict[str, float]:
    """Return measures with the digits that they are told with."""
    return {name: round(value, 6 if name.startswith("cost_usd") else 4) for name, value in metrics.items()}


@contextlib.asynccontextmanager
async def _system(
    invocation: Invocation, settings: Settings, suite: Suite, task: SuiteTask
) -> AsyncIterator[tuple[EvaluatedSystem, str, JudgingPlan | None]]:
    """Give what is asked, where, and how the answers are judged; whether they may be is known before anything else."""
    allowed = suite.egress == "allow"
    if task.fresh:
        log_in_lines()
        plan = judging_plan(settings, task.opinions, may_leave=allowed) if task.opinions else None
        async with open_system(settings, suite, task.path) as system:
            yield system, COLLECTION, plan
        return
    async with connect(invocation, settings) as api:
        plan = None
        if task.opinions:
            store = await api.get(store_path(task.options.collection))
            frozen = any(case.context for case in suite.questions)
            may_leave = egress_allowed(store["metadata"]) and (allowed or not frozen)
            plan = judging_plan(settings, task.opinions, may_leave=may_leave)
        max_bytes = settings.deployment.max_upload_bytes
        yield ApiSystem(api, task.options, max_bytes=max_bytes), task.options.collection, plan


async def _judged(
    settings: Settings, plan: JudgingPlan, suite: Suite, results: list[Scored], passages: int
) -> tuple[list[Scored], Judging]:
    """Return the results with the judge's opinions; respects that it gave none in are told on stderr."""
    answers = judged_answers(suite, results, passages)
    async with open_answer_judging(settings, plan) as judging:
        with progress_display() as progress:
            bar = Bar(progress, "judging", len(judging.tasks(results, answers)))
            judged, came = await judging.judge(results, answers, bar.reach)
    for name, why in came.not_judged.items():
        say(f"ragstead: {name} is not judged: {why}")
    return judged, came


def write_text(path: Path, text: str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _write(folder: Path, run: SuiteRun, document: Json, path: Path) -> None:
    pipeline = run.settings.pipeline.model_dump(mode="json")
    kept = {**document, "path": str(path.resolve()), "pipeline": pipeline}
    (folder / f"{run.run_id}.json").write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
