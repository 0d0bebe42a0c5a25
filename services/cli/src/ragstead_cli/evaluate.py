"""`ragstead eval run`: how good it is, without a judge model and without a network."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import console
from ragstead_cli.search import StrategyOption
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

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


async def run(
    invocation: Invocation,
    path: PathArgument,
    collection: CollectionOption = None,
    strategy: StrategyOption = None,
) -> None:
    """Measure ranking on a BEIR folder (ingested if need be), or answers on a suite of questions.

    The measures are also kept under DATA_DIR/evals, a BEIR folder's with its TREC run.
    """
    from ragstead_cli.queries import Options
    from ragstead_cli.session import connect

    if not path.exists():
        raise InvalidRequest(f"no file or folder {str(path)!r}; check the path", param="PATH")
    settings = invocation.settings()
    chosen = strategy.value if strategy else None
    run_id = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(3)}"
    lines: list[str] = []
    if path.is_dir():
        from ragstead_cli.beir_evaluation import measure_beir, own_collection

        options = Options(collection or own_collection(path), strategy=chosen)
        async with connect(invocation, settings) as api:
            metrics, lines = await measure_beir(api, path, options, max_bytes=settings.deployment.max_upload_bytes)
    else:
        from ragstead_cli.suite_evaluation import measure_suite, read_suite

        cases = read_suite(path)
        async with connect(invocation, settings) as api:
            metrics = await measure_suite(api, cases, Options(collection or "default", strategy=chosen))
    metrics = {name: round(value, 4) for name, value in metrics.items()}
    document = {"metrics": metrics, "run_id": run_id}
    _keep(settings, document, path, lines)
    invocation.show(document, lambda: _show(metrics, run_id))


def register(app: typer.Typer) -> None:
    """List the verb."""
    group = typer.Typer(help="Measure ranking and answers.", rich_markup_mode=None)
    group.callback()(_group)
    verb(group, "run", example="ragstead eval run evals/handbook.yaml")(run)
    app.add_typer(group, name="eval")


def _group() -> None:
    """Measure ranking and answers."""


def _keep(settings: Settings, document: Mapping[str, object], path: Path, lines: list[str]) -> None:
    folder = settings.deployment.data_dir / "evals"
    folder.mkdir(parents=True, exist_ok=True)
    kept = {**document, "path": str(path.resolve()), "pipeline": settings.pipeline.model_dump(mode="json")}
    (folder / f"{document['run_id']}.json").write_text(json.dumps(kept, indent=2) + "\n", "utf-8")
    if lines:
        (folder / f"{document['run_id']}.trec").write_text("".join(lines), "utf-8")


def _show(metrics: dict[str, float], run_id: str) -> None:
    out = console()
    for name, value in metrics.items():
        out.print(f"{name:20} {value:g}" if value > 1 else f"{name:20} {value:.4f}")
    out.print(f"run {run_id}", style="dim")
