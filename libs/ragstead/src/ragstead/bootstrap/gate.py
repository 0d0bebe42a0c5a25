"""Runs the gate: opens both sides, asks them in turn, and judges."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ragstead.bootstrap.evaluation import COLLECTION, open_system, yardstick
from ragstead.evaluation.gate import GateReport, judge
from ragstead.evaluation.gate_reports import GateHeading, gate_document, gate_junit, gate_markdown
from ragstead.evaluation.kept_results import KeptResults
from ragstead.evaluation.rules import GateRules
from ragstead.evaluation.run_tables import question_table
from ragstead.evaluation.scoring import Scored
from ragstead.evaluation.suites import Suite
from ragstead.pipelines.evaluate import Progress, SuiteEvaluation
from ragstead.ports.experiments import FinishedRun, Table
from ragstead.ports.registry import GateVerdict, Release
from ragstead.settings import Settings


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a comparison.

    Attributes:
        name: What it is called in reports.
        settings: Its pipeline.
        release: The release with its prompts and weights; None for what the settings come to.
    """

    name: str
    settings: Settings
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class GateTask:
    """What is to be judged.

    Attributes:
        suite: The questions.
        path: The suite's file.
        candidate: What wants to be released.
        champion: What it is held against: a pipeline that is run beside it, or results that were kept.
        rules: What blocks.
    """

    suite: Suite
    path: Path
    candidate: Contender
    champion: Contender | KeptResults
    rules: GateRules


@dataclass(frozen=True, slots=True)
class GateRun:
    """What came of it.

    Attributes:
        heading: What the report is about.
        report: The judgement.
        candidate: The candidate's results by question.
        champion: The champion's.
        questions: The questions' words by id.
        started_at: Unix seconds.
    """

    heading: GateHeading
    report: GateReport
    candidate: Sequence[Scored]
    champion: Sequence[Scored]
    questions: dict[str, str]
    started_at: float

    def files(self) -> dict[str, str]:
        """Return the reports by file name."""
        return {
            "gate.md": gate_markdown(self.heading, self.report, self.questions),
            "gate.xml": gate_junit(self.heading, self.report, self.questions),
            "gate.json": json.dumps(self.document(), indent=2) + "\n",
        }

    def document(self) -> dict[str, object]:
        """Return the report as JSON."""
        return gate_document(self.heading, self.report)

    @property
    def release(self) -> str:
        """Release of the candidate; empty where it answered nothing."""
        return next((one.release for one in self.candidate if one.release), "")

    def verdict(self, run_id: str) -> GateVerdict:
        """Return the verdict as the registry keeps it."""
        against = next((one.release for one in self.champion if one.release), "") or self.heading.champion
        says = f"refused: {', '.join(self.report.refused)}" if self.report.refused else "nothing that blocks is worse"
        outcome: Literal["passed", "refused"] = "passed" if self.report.passed else "refused"
        return GateVerdict(outcome, run_id, against, says, self.started_at)

    def finished(self, name: str) -> FinishedRun:
        """Return the run as experiments keep it."""
        document = self.document()
        rows = [[one.name, one.outcome, one.candidate, one.champion, one.says] for one in self.report.findings]
        return FinishedRun(
            experiment=f"{self.heading.suite} gate",
            name=name,
            release_id=self.release,
            parameters={"candidate": self.heading.candidate, "champion": self.heading.champion},
            metrics=self.report.candidate,
            tables={
                "findings": Table(["measure", "outcome", "candidate", "champion", "says"], rows),
                "questions": question_table(self.candidate, self.questions),
            },
            files=self.files(),
            tags={"kind": "gate", "verdict": str(document["verdict"])},
            started_at=self.started_at,
            seconds=self.heading.seconds,
        )

    def write(self, folder: Path) -> None:
        """Write the reports into a folder, which is made: `gate.md`, `gate.xml`, `gate.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in self.files().items():
            (folder / name).write_text(text, "utf-8")


async def run_gate(task: GateTask, done: Progress) -> GateRun:
    """Ask candidate and champion the suite's questions in turn, and judge.

    Raises:
        InvalidRequest: If the suite's documents are not there, or the two sides have no question in common.
        ConfigurationError: If one of the pipelines can't be composed here.
    """
    began, started_at = time.monotonic(), time.time()
    live = [task.candidate, *([task.champion] if isinstance(task.champion, Contender) else [])]
    held = yardstick(task.suite, *(one.settings for one in live))
    async with AsyncExitStack() as stack:
        opened = await asyncio.gather(
            *(stack.enter_async_context(open_system(one.settings, task.suite, task.path, one.release)) for one in live)
        )
        results = await SuiteEvaluation(COLLECTION, held).measure_in_turn(opened, task.suite.questions, done)
    candidate = results[0]
    champion = task.champion.results if isinstance(task.champion, KeptResults) else results[1]
    report = judge(candidate, champion, task.rules, timed=len(live) == 2)
    heading = GateHeading(
        task.suite.name, _named(task.candidate, candidate), _against(task, champion), time.monotonic() - began
    )
    questions = {case.id: case.question for case in task.suite.questions}
    return GateRun(heading, report, candidate, champion, questions, started_at)


def _named(side: Contender, results: Sequence[Scored]) -> str:
    release = next((one.release for one in results if one.release), "")
    return f"{release} ({side.name})" if release and release != side.name else side.name


def _against(task: GateTask, results: Sequence[Scored]) -> str:
    if isinstance(task.champion, Contender):
        return _named(task.champion, results)
    return f"{task.champion.release} (kept results)"
