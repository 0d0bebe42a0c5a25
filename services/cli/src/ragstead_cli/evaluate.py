"""`ragstead eval run`: how good it is, without a judge model and without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import console
from ragstead_cli.run_ids import new_run_id
from ragstead_cli.search import StrategyOption
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ragstead.settings import Settings

PathArgument = Annotated[
    Path, typer.Argument(help="A BEIR folder, or a suite of ours in YAML.", metavar="PATH", show_default=False)
]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        metavar="NAME",
        help="Where to look; 'default' for a suite, one named after its content for a BEIR folder.",
    ),
]
FreshOption = Annotated[
    bool, typer.Option("--fresh", help="Take the suite's documents into a platform of its own, which goes away.")
]
KeepOption = Annotated[
    Path | None, typer.Option("--keep", metavar="FILE", help="Keep the results by question, for `eval gate`.")
]
AtOnceOption = Annotated[
    int, typer.Option("--at-once", help="Questions asked at once; more than one makes each slower.", min=1, max=64)
]


async def run(
    invocation: Invocation,
    path: PathArgument,
    collection: CollectionOption = None,
    strategy: StrategyOption = None,
    fresh: FreshOption = False,
    keep: KeepOption = None,
    at_once: AtOnceOption = 1,
) -> None:
    """Measure ranking on a BEIR folder (ingested if need be), or answers on a suite of questions.

    The measures are also kept under DATA_DIR/evals, with a table of the questions and plots.
    """
    if not path.exists():
        raise InvalidRequest(f"no file or folder {str(path)!r}; check the path", param="PATH")
    settings = invocation.settings()
    chosen = strategy.value if strategy else None
    if path.is_dir():
        if fresh or keep:
            raise InvalidRequest("--fresh and --keep are for suites", param="PATH")
        await _run_beir(invocation, settings, path, collection, chosen)
        return
    from ragstead_cli.queries import Options
    from ragstead_cli.suite_runs import SuiteTask, run_suite

    task = SuiteTask(path, Options(collection or "default", strategy=chosen), fresh, at_once)
    run_id = new_run_id()
    document = await run_suite(invocation, settings, task, run_id, keep)
    invocation.show(document, lambda: show_metrics(document["metrics"], run_id))


def register(app: typer.Typer) -> None:
    """List the verbs."""
    from ragstead_cli import gate, traced_cases

    group = typer.Typer(help="Measure ranking and answers, and gate releases.", rich_markup_mode=None)
    group.callback()(_group)
    verb(group, "run", example="ragstead eval run evals/handbook.yaml")(run)
    gate.register(group)
    traced_cases.register_add(group)
    app.add_typer(group, name="eval")


def show_metrics(metrics: Mapping[str, float], run_id: str) -> None:
    """Print measures for people."""
    out = console()
    for name, value in metrics.items():
        out.print(f"{name:20} {value:g}" if value > 1 else f"{name:20} {value:.4f}")
    out.print(f"run {run_id}", style="dim")


def _group() -> None:
    """Measure ranking and answers, and gate releases."""


async def _run_beir(
    invocation: Invocation, settings: Settings, path: Path, collection: str | None, strategy: str | None
) -> None:
    from ragstead_cli.beir_evaluation import measure_beir, own_collection
    from ragstead_cli.queries import Options
    from ragstead_cli.session import connect

    options = Options(collection or own_collection(path), strategy=strategy)
    async with connect(invocation, settings) as api:
        metrics, lines = await measure_beir(api, path, options, max_bytes=settings.deployment.max_upload_bytes)
    document = {"metrics": {name: round(value, 4) for name, value in metrics.items()}, "run_id": new_run_id()}
    _keep(settings, document, path, lines)
    invocation.show(document, lambda: show_metrics(metrics, str(document["run_id"])))


def _keep(settings: Settings, document: Mapping[str, object], path: Path, lines: Sequence[str]) -> None:
    folder = settings.deployment.data_dir / "evals"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {**document, "path": str(path.resolve()), "pipeline": settings.pipeline.model_dump(mode="json")}
    (folder / f"{document['run_id']}.json").write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
    (folder / f"{document['run_id']}.trec").write_text("".join(lines), "utf-8")
