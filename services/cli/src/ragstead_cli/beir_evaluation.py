"""Measures retrieval on a BEIR folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ragstead.errors import InvalidRequest
from ragstead.evaluation.ranking import mean_measures
from ragstead_cli.beir import content_hash, corpus_path, read_corpus, read_qrels, read_queries
from ragstead_cli.ingest import handed_in
from ragstead_cli.output import Bar, progress_display, say
from ragstead_cli.queries import Options, rank_all
from ragstead_cli.trec import run_lines
from ragstead_cli.uploads import Uploader

if TYPE_CHECKING:
    from ragstead_cli.api import Api

_DEPTH = 100


def own_collection(folder: Path) -> str:
    """Name of the collection that a folder is measured in: the folder's, and a hash of what its corpus holds."""
    name = "".join(char if char.isalnum() or char in "-_." else "-" for char in folder.resolve().name)
    return f"{name}-{content_hash(corpus_path(folder))}"


async def measure_beir(
    api: Api, folder: Path, options: Options, *, max_bytes: int
) -> tuple[dict[str, float], list[str]]:
    """Ingest the corpus where it is not in yet, search every judged query, and return the means and the TREC run.

    A judged query whose text the folder lacks can't be asked and is left out; one that finds nothing counts as 0.

    Raises:
        InvalidRequest: If the folder lacks judgements or queries, or some of its documents can't be indexed.
    """
    qrels = read_qrels(folder)
    queries = [query for query in read_queries(folder / "queries.jsonl") if query.query_id in qrels]
    if not queries:
        raise InvalidRequest(f"{str(folder)!r} has no query that its qrels judge", param="PATH")
    unasked = len(qrels) - len({query.query_id for query in queries})
    if unasked:
        say(f"ragstead: {unasked} judged queries are not in queries.jsonl; the means leave them out")
    await _ingest(api, folder, options.collection, max_bytes)
    run: dict[str, list[str]] = {}
    lines: list[str] = []
    with progress_display() as progress:
        searching = Bar(progress, "searching", len(queries))
        async for query, ranked in rank_all(api, queries, options, k=_DEPTH):
            run[query.query_id] = [document_id for document_id, _ in ranked or []]
            lines.extend(run_lines(query.query_id, ranked or []))
            searching.advance()
    return mean_measures(run, {query.query_id: qrels[query.query_id] for query in queries}), lines


async def _ingest(api: Api, folder: Path, collection: str, max_bytes: int) -> None:
    uploader = Uploader(api, collection, {}, max_bytes=max_bytes)
    report = await handed_in(uploader, uploader.texts(read_corpus(corpus_path(folder))))
    for failure in report.failures:
        say(f"ragstead: {failure.path} is not in: {failure.reason}")
