"""Runs the gate: opens both sides, asks them in turn, and judges."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ragstead.bootstrap.answer_judging import judged_answers, open_answer_judging
from ragstead.bootstrap.gate_questions import Contender, Questions, SideResults, SuiteQuestions, table_of
from ragstead.evaluation.gate import GateReport, judge
from ragstead.evaluation.gate_opinions import JudgedSides
from ragstead.evaluation.gate_reports import GateHeading, gate_document, gate_junit, gate_markdown
from ragstead.evaluation.kept_results import KeptResults
from ragstead.evaluation.opinions import Judging, kept_judging
from ragstead.evaluation.rules import GateRules
from ragstead.pipelines.in_turn import Progress
from ragstead.pipelines.judge_answers import JudgingPlan
from ragstead.ports.experiments import FinishedRun, Table
from ragstead.ports.registry import GateVerdict
from ragstead.settings import Settings


@dataclass(frozen=True, slots=True)
class GateTask:
    """What is to be judged.

    Attributes:
        questions: What both are asked.
        candidate: What wants to be released.
        champion: What it is held against: a pipeline that is run beside it, or results that were kept.
        rules: What blocks.
        settings: Those in force, which describe the judge.
        judging: How a judge is asked for its opinions; None where the rules name none.
    """

    questions: Questions
    candidate: Contender
    champion: Contender | KeptResults
    rules: GateRules
    settings: Settings
    judging: JudgingPlan | None = None


@dataclass(frozen=True, slots=True)
class GateRun:
    """What came of it.

    Attributes:
        heading: What the report is about.
        report: The judgement.
        candidate: What the candidate came to.
        champion: The champion.
        questions: What both were asked.
        started_at: Unix seconds.
    """

    heading: GateHeading
    report: GateReport
    candidate: SideResults
    champion: SideResults
    questions: Questions
    started_at: float

    def files(self) -> dict[str, str]:
        """Return the reports by file name."""
        return {
            "gate.md": gate_markdown(self.heading, self.report, self.questions.words),
            "gate.xml": gate_junit(self.heading, self.report, self.questions.words),
            "gate.json": json.dumps(self.document(), indent=2) + "\n",
        }

    def document(self) -> dict[str, object]:
        """Return the report as JSON."""
        return gate_document(self.heading, self.report)

    @property
    def release(self) -> str:
        """Release of the candidate."""
        return self.candidate.release

    def verdict(self, run_id: str) -> GateVerdict:
        """Return the verdict as the registry keeps it."""
        against = self.champion.release or self.heading.champion
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
                "questions": table_of(self.questions.kind, self.candidate.results, self.questions.words),
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


async def run_gate(task: GateTask, asking: Progress, judging: Progress) -> GateRun:
    """Ask candidate and champion the same questions in turn, have their answers judged where that is wanted, and judge.

    Args:
        task: What is to be judged.
        asking: Told how many questions were asked.
        judging: Told how many opinions of a judge were asked for, on the side that is being judged.

    Raises:
        InvalidRequest: If the documents are not there, or the two sides have no question in common.
        ConfigurationError: If one of the pipelines can't be composed here.
    """
    began, started_at = time.monotonic(), time.time()
    live = [task.candidate, *([task.champion] if isinstance(task.champion, Contender) else [])]
    sides = await task.questions.ask(live, asking)
    if isinstance(task.champion, KeptResults):
        sides.append(SideResults(task.champion.results, ""))
    sides, judged = await _judged(task, live, sides, judging)
    ours, theirs = sides
    kind = task.questions.kind
    report = judge(ours.results, theirs.results, task.rules, timed=len(live) == 2, kind=kind, judged=judged)
    heading = GateHeading(
        task.questions.name, _named(task.candidate, ours), _against(task, theirs), time.monotonic() - began
    )
    return GateRun(heading, report, ours, theirs, task.questions, started_at)


async def _judged(
    task: GateTask, live: Sequence[Contender], sides: list[SideResults], done: Progress
) -> tuple[list[SideResults], JudgedSides | None]:
    """Return the sides with a judge's opinions, and how far it came; as they are where none is asked."""
    questions, plan = task.questions, task.judging
    if plan is None or not isinstance(questions, SuiteQuestions):
        return sides, None
    told: list[Judging] = []
    found: list[SideResults] = []
    async with open_answer_judging(task.settings, plan) as judging:
        for one, side in zip(live, sides, strict=False):
            answers = judged_answers(questions.suite, side.results, one.settings.pipeline.answer.passages)
            results, came = await judging.judge(side.results, answers, done)
            found.append(SideResults(results, side.release))
            told.append(came)
    if isinstance(task.champion, KeptResults):
        found.append(sides[1])
        told.append(kept_judging(task.champion.judge, task.champion.results))
    return found, JudgedSides(*told)


def _named(side: Contender, ran: SideResults) -> str:
    return f"{ran.release} ({side.name})" if ran.release and ran.release != side.name else side.name


def _against(task: GateTask, ran: SideResults) -> str:
    if isinstance(task.champion, Contender):
        return _named(task.champion, ran)
    return f"{task.champion.release} (kept results)"
