"""`ragstead eval run`: how good it is, without a judge model and without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ragstead.errors import InvalidRequest
from ragstead_cli.output import console
from ragstead_cli.run_ids import new_run_id
from ragstead_cli.search import StrategyOption
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    int | None,
    typer.Option(
        "--at-once",
        help="Questions asked at once; more than one makes each slower. 1 for a suite, 8 for a BEIR folder.",
        min=1,
        max=64,
    ),
]


_SEARCHED_AT_ONCE = 8
_BESIDE = ("_spread", "_judged")
"""Endings of figures that stand beside a judged measure."""


async def run(
    invocation: Invocation,
    path: PathArgument,
    collection: CollectionOption = None,
    strategy: StrategyOption = None,
    fresh: FreshOption = False,
    keep: KeepOption = None,
    at_once: AtOnceOption = None,
) -> None:
    """Measure ranking on a BEIR folder (ingested if need be), or answers on a suite of questions.

    The measures are also kept under DATA_DIR/evals, with a table of the questions and plots.
    """
    if not path.exists():
        raise InvalidRequest(f"no file or folder {str(path)!r}; check the path", param="PATH")
    settings = invocation.settings()
    chosen = strategy.value if strategy else None
    from ragstead_cli.queries import Options

    run_id = new_run_id()
    if path.is_dir():
        from ragstead_cli.beir_evaluation import BeirTask, own_collection, run_beir

        if invocation.judge is not None:
            raise InvalidRequest("queries are searched, not answered: there is nothing to judge", param="--judge")
        options = Options(collection or own_collection(path), strategy=chosen)
        searched = BeirTask(path, options, fresh, at_once or _SEARCHED_AT_ONCE)
        document = await run_beir(invocation, settings, searched, run_id, keep)
    else:
        from ragstead.bootstrap.answer_judging import respects_named
        from ragstead_cli.suite_runs import SuiteTask, run_suite

        opinions = respects_named(invocation.judge) if invocation.judge is not None else ()
        asked = SuiteTask(path, Options(collection or "default", strategy=chosen), fresh, at_once or 1, opinions)
        document = await run_suite(invocation, settings, asked, run_id, keep)
    invocation.show(document, lambda: show_run(document))


def register(app: typer.Typer) -> None:
    """List the verbs."""
    from ragstead_cli import gate, traced_cases

    group = typer.Typer(help="Measure ranking and answers, and gate releases.", rich_markup_mode=None)
    group.callback()(_group)
    verb(group, "run", example="ragstead eval run evals/handbook.yaml", judge=True)(run)
    gate.register(group)
    traced_cases.register_add(group)
    app.add_typer(group, name="eval")


def show_run(document: Mapping[str, Any]) -> None:
    """Print a run's measures for people; those of a judge with their spread, and those that it did not judge."""
    out = console()
    metrics: Mapping[str, float] = document["metrics"]
    for name, value in metrics.items():
        told = f"{name:20} {value:g}" if value > 1 else f"{name:20} {value:.{_digits(name)}f}"
        if f"{name}_spread" in metrics:
            judged, repeats = metrics[f"{name}_judged"], document["judge"]["repeats"]
            told += f" ± {metrics[f'{name}_spread']:.4f}  {judged:g} answers judged, {repeats} times each"
        if not name.endswith(_BESIDE):
            out.print(told)
    for name, why in document.get("not_judged", {}).items():
        out.print(f"{name:20} not judged: {why}")
    out.print(f"run {document['run_id']}", style="dim")


def _digits(name: str) -> int:
    return 6 if name.startswith("cost_usd") else 4


def _group() -> None:
    """Measure ranking and answers, and gate releases."""
