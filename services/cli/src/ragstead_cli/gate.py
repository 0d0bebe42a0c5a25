"""`ragstead eval gate`: whether a candidate may take the champion's place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragstead.errors import NotFound, Unavailable
from ragstead_cli.output import console, say
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from ragstead.bootstrap.gate import GateRun
    from ragstead.evaluation.ranked_queries import RankedSet
    from ragstead.settings import Settings

REFUSED = 3
"""Exit code of a gate that says no."""

SuiteOption = Annotated[
    Path, typer.Option("--suite", metavar="PATH", help="The questions: a suite, or a BEIR folder of judged queries.")
]
CandidateOption = Annotated[
    str | None,
    typer.Option(
        "--candidate",
        metavar="CONFIG|RELEASE",
        help="What wants to be released; the configuration in force if not given.",
    ),
]
ChampionOption = Annotated[
    str | None,
    typer.Option(
        "--champion",
        metavar="CONFIG|RELEASE|RESULTS",
        help="What it would replace: run beside it, or results that `eval run --keep` kept; the release that is live "
        "if not given, else the results in baseline/ beside the suite.",
    ),
]
RulesOption = Annotated[
    Path | None, typer.Option("--rules", metavar="FILE", help="What blocks, and by how much it may be worse.")
]
OutOption = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Where gate.md, gate.xml (JUnit) and gate.json are written.")
]
SampleOption = Annotated[
    int | None, typer.Option("--sample", help="Ask so many of the questions, the same each time.", min=1)
]


async def gate(
    invocation: Invocation,
    suite: SuiteOption = Path("evals/handbook.yaml"),
    candidate: CandidateOption = None,
    champion: ChampionOption = None,
    rules: RulesOption = None,
    out: OutOption = None,
    sample: SampleOption = None,
) -> int:
    """Hold a candidate against the champion on the same questions; exit 3 where it is worse in what blocks."""
    from ragstead.bootstrap.answer_judging import respects_named
    from ragstead.bootstrap.gate import run_gate
    from ragstead.bootstrap.gate_sides import Sides, gate_task
    from ragstead_cli.output import Bar, log_in_lines, progress_display
    from ragstead_cli.run_ids import new_run_id
    from ragstead_cli.tracking import tracking

    log_in_lines()
    settings = invocation.settings()
    async with tracking(settings) as mlflow:
        registry = mlflow.registry if mlflow is not None else None
        opinions = respects_named(invocation.judge) if invocation.judge is not None else ()
        sides = Sides(suite, candidate, champion, rules, sample, opinions, _ranked(suite))
        task = await gate_task(settings, sides, registry)
    with progress_display() as progress:
        asking = Bar(progress, "asking", len(task.questions.words))
        judging = Bar(progress if task.judging else None, "judging")
        run = await run_gate(task, asking.reach, judging.reach)
    run_id = new_run_id()
    folder = out or settings.deployment.data_dir / "evals" / f"{run_id}-gate"
    run.write(folder)
    recorded = await _record(settings, run, run_id)
    document = {**run.document(), "run_id": run_id, "reports": str(folder), "recorded": recorded}
    invocation.show(document, lambda: _show(run, document))
    return 0 if run.report.passed else REFUSED


def _ranked(suite: Path) -> RankedSet | None:
    """Return the judged queries of a folder; None where it is a suite's file."""
    if not suite.is_dir():
        return None
    from ragstead_cli.beir_evaluation import read_ranked

    return read_ranked(suite)


async def _record(settings: Settings, run: GateRun, run_id: str) -> bool:
    """Attach the report and the verdict to the candidate's release, where that is kept; returns whether it is."""
    from ragstead_cli.tracking import logged, tracking

    mlflow_run = await logged(settings, run.finished(run_id))
    if not mlflow_run:
        return False
    async with tracking(settings) as mlflow:
        if mlflow is None:
            return False
        try:
            await mlflow.registry.record_gate(run.release, run.verdict(mlflow_run))
        except (NotFound, Unavailable) as error:
            say(f"ragstead: the verdict is not recorded with a release: {error}")
            return False
    return True


def register(group: typer.Typer) -> None:
    """List the verb under `eval`."""
    example = "ragstead eval gate --candidate new.yaml --champion configs/ragstead.yaml"
    verb(group, "gate", example=example, judge=True)(gate)


def _show(run: GateRun, document: dict[str, Any]) -> None:
    out = console()
    for one in run.report.findings:
        figures = " / ".join("-" if value is None else f"{value:.4g}" for value in (one.candidate, one.champion))
        interval = "" if one.difference is None else f" [{one.difference.low:+.4f}, {one.difference.high:+.4f}]"
        out.print(f"{one.outcome:8} {one.name:21} {figures:19} {one.says}{interval}")
    verdict = "passed" if run.report.passed else f"refused: {', '.join(run.report.refused)}"
    out.print(f"{verdict}; {run.report.compared} questions in {run.heading.seconds:.0f} s; {document['reports']}")
