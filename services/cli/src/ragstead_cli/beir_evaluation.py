"""Measures retrieval on a BEIR folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ragstead.bootstrap.evaluation import COLLECTION, open_ranked
from ragstead.bootstrap.evaluation_runs import keep
from ragstead.bootstrap.ranking_runs import RankingRun
from ragstead.bootstrap.releasing import served_release, served_settings
from ragstead.errors import InvalidRequest
from ragstead.evaluation.ranked_queries import JudgedQuery, RankedSet
from ragstead.evaluation.ranking import is_judged
from ragstead.evaluation.summaries import ranking_summary
from ragstead.pipelines.rank_queries import RankingEvaluation
from ragstead.ports.evaluated import SourceDocument
from ragstead_cli.beir import CorpusDocument, content_hash, corpus_path, read_corpus, read_qrels, read_queries
from ragstead_cli.evaluated_api import ApiSystem
from ragstead_cli.ingest import handed_in
from ragstead_cli.output import Bar, log_in_lines, progress_display, say
from ragstead_cli.queries import Options
from ragstead_cli.session import connect
from ragstead_cli.sources import Failure
from ragstead_cli.suite_runs import rounded, write_text
from ragstead_cli.tracking import logged
from ragstead_cli.trec import run_lines
from ragstead_cli.uploads import Uploader

if TYPE_CHECKING:
    from ragstead.ports.evaluated import EvaluatedSystem
    from ragstead.ports.experiments import FinishedRun
    from ragstead.settings import Settings
    from ragstead_cli.api import Api, Json
    from ragstead_cli.verb import Invocation


@dataclass(frozen=True, slots=True)
class BeirTask:
    """What is to be run.

    Attributes:
        path: The folder.
        options: How queries are searched.
        fresh: Whether on a platform of its own with the folder's documents.
        at_once: Queries searched at once.
    """

    path: Path
    options: Options
    fresh: bool
    at_once: int


@dataclass(frozen=True, slots=True)
class _Searched:
    """What is searched, where, by which release, of which pipeline."""

    system: EvaluatedSystem
    collection: str
    release: str
    settings: Settings


def own_collection(folder: Path) -> str:
    """Name of the collection that a folder is measured in: the folder's, and a hash of what its corpus holds."""
    return f"{_name(folder)}-{content_hash(corpus_path(folder))}"


def read_ranked(folder: Path) -> RankedSet:
    """Return the judged queries of a folder, with its corpus.

    A judged query whose text the folder lacks can't be asked and is left out, told on stderr.

    Raises:
        InvalidRequest: If the folder lacks a corpus, judgements or judged queries, or a line is off.
    """
    qrels = {query_id: gains for query_id, gains in read_qrels(folder).items() if is_judged(gains)}
    texts = {query.query_id: query.text for query in read_queries(folder / "queries.jsonl")}
    queries = [JudgedQuery(query_id, texts[query_id], qrels[query_id]) for query_id in texts if query_id in qrels]
    if not queries:
        raise InvalidRequest(f"{str(folder)!r} has no query that its qrels judge", param="PATH")
    if len(qrels) > len(queries):
        say(f"ragstead: {len(qrels) - len(queries)} judged queries are not in queries.jsonl; the means leave them out")
    corpus = corpus_path(folder)
    return RankedSet(_name(folder), tuple(queries), lambda: _documents(corpus))


async def run_beir(invocation: Invocation, settings: Settings, task: BeirTask, run_id: str, kept: Path | None) -> Json:
    """Search a folder's judged queries, keep what came of it, and return the run as `--json` prints it."""
    ranked = await asyncio.to_thread(read_ranked, task.path)
    began, started_at = time.monotonic(), time.time()
    async with _searched(invocation, settings, ranked, task) as searched:
        with progress_display() as progress:
            searching = Bar(progress, "searching", len(ranked.queries))
            evaluation = RankingEvaluation(searched.collection)
            found = await evaluation.measure(searched.system, ranked.queries, searching.reach, limit=task.at_once)
    metrics = rounded(ranking_summary([one.scored for one in found]))
    run = RankingRun(
        run_id,
        ranked.name,
        searched.release,
        searched.settings,
        _asked(task, searched.collection),
        metrics,
        found,
        "".join(line for one in found for line in run_lines(one.query.query_id, one.documents or ())),
        started_at,
        time.monotonic() - began,
    )
    if kept is not None:
        await asyncio.to_thread(write_text, kept, run.kept())
    await asyncio.to_thread(_check, run)
    ended = run.finished()
    document: Json = {"metrics": dict(run.metrics), "run_id": run_id, "release": run.release}
    await asyncio.to_thread(_keep, settings.deployment.data_dir / "evals", run, ended, {**document, "path": task.path})
    return {**document, "mlflow_run_id": await logged(settings, ended) or None}


def _check(run: RankingRun) -> None:
    """Hold the figures against those of ir-measures, where that is installed."""
    for name, (theirs, ours) in (run.disagreements() or {}).items():
        say(f"ragstead: warning: {name} is {ours:.4f} by our arithmetic and {theirs:.4f} by that of ir-measures")


def _keep(folder: Path, run: RankingRun, ended: FinishedRun, document: Json) -> None:
    """Leave the run under the data directory."""
    keep(ended, folder / run.run_id)
    path = str(document["path"].resolve())
    told = {**document, "path": path, "pipeline": run.settings.pipeline.model_dump(mode="json")}
    write_text(folder / f"{run.run_id}.json", json.dumps(told, indent=2) + "\n")
    write_text(folder / f"{run.run_id}.trec", run.trec)


@contextlib.asynccontextmanager
async def _searched(
    invocation: Invocation, settings: Settings, ranked: RankedSet, task: BeirTask
) -> AsyncIterator[_Searched]:
    if task.fresh:
        log_in_lines()
        async with open_ranked(settings, ranked) as own:
            yield _Searched(own, COLLECTION, own.release, settings)
        return
    async with connect(invocation, settings) as api:
        max_bytes = settings.deployment.max_upload_bytes
        await _ingest(api, task.path, task.options.collection, max_bytes)
        served = served_release(settings)
        release = served.live if served is not None else ""
        system = ApiSystem(api, task.options, max_bytes=max_bytes)
        yield _Searched(system, task.options.collection, release, served_settings(settings))


async def _ingest(api: Api, folder: Path, collection: str, max_bytes: int) -> None:
    uploader = Uploader(api, collection, {}, max_bytes=max_bytes)
    report = await handed_in(uploader, uploader.texts(read_corpus(corpus_path(folder))))
    for failure in report.failures:
        say(f"ragstead: {failure.path} is not in: {failure.reason}")


def _asked(task: BeirTask, collection: str) -> dict[str, str]:
    given = {"collection": collection, "at_once": str(task.at_once), "strategy": task.options.strategy}
    return {name: value for name, value in given.items() if value is not None}


def _documents(corpus: Path) -> Iterator[SourceDocument]:
    for row in read_corpus(corpus):
        if isinstance(row, Failure):
            raise InvalidRequest(f"{row.path}: {row.reason}", param="PATH")
        yield _document(row)


def _document(row: CorpusDocument) -> SourceDocument:
    return SourceDocument(row.document_id, row.text.encode(), is_text=True, title=row.title, attributes=row.attributes)


def _name(folder: Path) -> str:
    return "".join(char if char.isalnum() or char in "-_." else "-" for char in folder.resolve().name)
