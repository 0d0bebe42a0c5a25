"""`ragstead search`: one query, or a file of them into a TREC run."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ragstead.errors import InvalidRequest
from ragstead.model import Strategy
from ragstead_cli.output import Bar, console, printable, progress_display
from ragstead_cli.verb import Invocation, verb

if TYPE_CHECKING:
    from ragstead_cli.api import Json
    from ragstead_cli.queries import Options

QueryArgument = Annotated[str | None, typer.Argument(help="What to look for.", metavar="QUERY", show_default=False)]
KOption = Annotated[
    int, typer.Option("-k", help="Hits wanted; documents, with --queries.", min=1, max=1000, metavar="K")
]
StrategyOption = Annotated[
    Strategy | None, typer.Option("--strategy", help="How to search; the configuration's if not given.")
]
FilterOption = Annotated[
    str | None,
    typer.Option(
        "--filter",
        metavar="JSON",
        help='OpenAI\'s filter object over attributes, e.g. {"type":"eq","key":"team","value":"people"}.',
    ),
]
QueriesOption = Annotated[
    Path | None, typer.Option("--queries", metavar="FILE", help='A batch: lines {"_id", "text"}; needs --run.')
]
RunOption = Annotated[Path | None, typer.Option("--run", metavar="OUT", help="Where a batch writes its TREC run.")]


async def search(
    invocation: Invocation,
    query: QueryArgument = None,
    k: KOption = 10,
    strategy: StrategyOption = None,
    filter_: FilterOption = None,
    queries: QueriesOption = None,
    run: RunOption = None,
) -> int:
    """Find the passages that fit a query; or rank documents for a file of queries."""
    from ragstead_cli.queries import Options, parse_filter

    options = Options(invocation.collection, k, strategy.value if strategy else None, parse_filter(filter_))
    if (query is None) == (queries is None) or (queries is None) != (run is None):
        raise InvalidRequest("give either a QUERY, or --queries FILE and --run OUT", param="QUERY")
    if queries is not None and run is not None:
        return await _batch(invocation, options, queries, run)
    await _one(invocation, options, query or "")
    return 0


def register(app: typer.Typer) -> None:
    """List the verb."""
    verb(app, "search", example='ragstead search "parental leave" -k 3', collection=True)(search)


async def _one(invocation: Invocation, options: Options, query: str) -> None:
    from ragstead_cli.queries import search as search_once
    from ragstead_cli.session import connect

    async with connect(invocation, finds=True) as api:
        found = await search_once(api, query, options)
    invocation.show(found, lambda: _show(found))


async def _batch(invocation: Invocation, options: Options, path: Path, run: Path) -> int:
    from ragstead_cli.beir import read_queries
    from ragstead_cli.queries import rank_all
    from ragstead_cli.replaced_file import replaced_file
    from ragstead_cli.session import connect
    from ragstead_cli.trec import run_lines

    queries = read_queries(path)
    refused = 0
    with replaced_file(run) as out:
        async with connect(invocation, finds=True) as api:
            started = time.monotonic()
            with progress_display() as progress:
                searching = Bar(progress, "searching", len(queries))
                async for query, ranked in rank_all(api, queries, options, k=options.k or 10):
                    refused += ranked is None
                    out.writelines(run_lines(query.query_id, ranked or []))
                    searching.advance()
            seconds = round(time.monotonic() - started, 3)
    report = {"queries": len(queries), "seconds": seconds}
    invocation.show(report, lambda: console().print(f"{len(queries)} queries in {seconds} s: {run}"))
    return 1 if refused else 0


def _show(found: Json) -> None:
    out = console()
    for place, hit in enumerate(found["hits"], 1):
        page = f", page {hit['page']}" if hit["page"] else ""
        out.print(f"{place:>2}. {hit['filename']}{page}  ({hit['score']:.2f})", style="bold")
        words = " ".join(printable(hit["text"]).split())
        out.print(f"    {words[:300]}{'…' if len(words) > 300 else ''}")
    if not found["hits"]:
        out.print(f"refused: {found['reason']}" if found.get("refused") else "nothing found")
    total = found["timings_ms"].get("total", sum(found["timings_ms"].values()))
    out.print(f"{total:.0f} ms", style="dim")
