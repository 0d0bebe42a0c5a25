"""The whole platform in one process: adapters chosen, pipelines composed, the worker running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ragstead.adapters.directory_blobs import DirectoryBlobs
from ragstead.adapters.directory_lock import DirectoryLock
from ragstead.adapters.milvus import MilvusServer, MilvusVectors
from ragstead.adapters.milvus_lite import MilvusLiteProcess
from ragstead.adapters.parser_process import ParseLimits, ProcessParser
from ragstead.adapters.rank_bm25_index import RankBm25Index
from ragstead.adapters.sqlalchemy_metadata import (
    Database,
    SqlCollections,
    SqlConversations,
    SqlConversationTurns,
    SqlDocuments,
    SqlFiles,
    SqlIndexTruth,
    SqlIntake,
    SqlLedger,
    SqlLiveChunks,
    SqlSweeping,
)
from ragstead.adapters.tantivy_index import TantivyIndex
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.analysis import analyse
from ragstead.bootstrap.answer_cache import open_answer_caches
from ragstead.bootstrap.blueprints import ground_of
from ragstead.bootstrap.composition import Composer, Foundations
from ragstead.bootstrap.embedding import EmbeddingModel, open_embedding
from ragstead.bootstrap.generation import open_bare_models
from ragstead.bootstrap.guarding import open_guard
from ragstead.bootstrap.indexes import LocalIndexes
from ragstead.bootstrap.live import Serving, open_live_release
from ragstead.bootstrap.live_scoring import open_live_scoring
from ragstead.bootstrap.plans import chunker_of, index_identity_of, recipe_of
from ragstead.bootstrap.reranking import open_reranker
from ragstead.bootstrap.tracing import Tracing, open_answer_traces, open_tracing, with_mlflow
from ragstead.errors import RagsteadError
from ragstead.model import Collection, StoredFile
from ragstead.pipelines.bare_models import BareModel
from ragstead.pipelines.costs import CostBook
from ragstead.pipelines.following import ChampionFollower
from ragstead.pipelines.ingest import IngestPipeline, IngestPlan
from ragstead.pipelines.ingest_parts import IngestParts
from ragstead.pipelines.ingest_worker import IngestWorker
from ragstead.pipelines.live_release import LiveRelease
from ragstead.pipelines.sample_scoring import SampleScoring
from ragstead.ports.answer_traces import AnswerTraces
from ragstead.ports.blob_store import BlobStore
from ragstead.ports.collections import Collections
from ragstead.ports.conversations import Conversations, ConversationTurns
from ragstead.ports.documents import Documents, Files
from ragstead.ports.indexes import Indexes
from ragstead.ports.live_chunks import LiveChunks
from ragstead.ports.reranker import Reranker
from ragstead.ports.tracer import Tracer
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings

_UNCLEAN = "running"
"""File in the data directory that stands there while a platform runs; found at the start, the last one was killed."""
_AS_CONFIGURED = Serving()
_PIPELINES_CAN = {"stream": True, "tools": False, "response_format": False, "logprobs": False}


@dataclass(frozen=True, slots=True)
class ServedModel:
    """What `/v1/models` shows of a pipeline.

    Attributes:
        name: What the `model` of a request names.
        capabilities: What it can do, by OpenAI's parameter names.
    """

    name: str
    capabilities: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class Platform:
    """A running platform.

    Attributes:
        settings: What it was made from.
        lock: Its hold on the data directory.
        collections: The collections there are.
        documents: Their documents.
        files: Uploads.
        blobs: The original bytes.
        indexes: The physical indexes behind the collections.
        live_chunks: The chunks that may be shown.
        retriever: Finds, by the release that is live.
        answerer: Answers, by the same.
        conversations: Those that are kept.
        conversation_turns: The same, as they grow.
        ingestor: Takes in and out.
        models: What answers.
        bare_models: Those that a request may name, and is passed on to.
        costs: What models cost.
        embedding: What embeds.
        reranker: What scores passages against a question, if anything does.
        tracer: What takes traces, and judgements of them.
        answer_traces: Answers read back from there; None where they can't be.
        live_scoring: What scores a sample of the answers, if anything does.
    """

    settings: Settings
    lock: DirectoryLock
    collections: Collections
    documents: Documents
    files: Files
    blobs: BlobStore
    indexes: Indexes
    live_chunks: LiveChunks
    retriever: LiveRelease
    answerer: LiveRelease
    conversations: Conversations
    conversation_turns: ConversationTurns
    ingestor: IngestPipeline
    models: tuple[ServedModel, ...]
    bare_models: Mapping[str, BareModel]
    costs: CostBook
    embedding: EmbeddingModel
    reranker: Reranker | None
    tracer: Tracer
    answer_traces: AnswerTraces | None
    live_scoring: SampleScoring | None
    _worker: IngestWorker
    _vectors: MilvusServer
    _index_identity: str
    _blob_guard: asyncio.Lock
    _follower: ChampionFollower | None

    async def upload(self, filename: str, purpose: str, data: bytes) -> StoredFile:
        """Keep the bytes and record the upload, such that no sweep takes them in between.

        Raises:
            Unavailable: If the disk is full.
        """
        async with self._blob_guard:
            return await self.files.add(filename, purpose, await self.blobs.put(data), len(data))

    async def create_collection(self, name: str, metadata: Mapping[str, str]) -> Collection:
        """Add an empty collection.

        Raises:
            Conflict: If the name is taken.
        """
        return await self.collections.create(name, index_identity=self._index_identity, metadata=metadata)

    async def readiness(self) -> dict[str, tuple[bool, str]]:
        """Return for each dependency whether it is ready, and a word on it."""
        out = {"ingestion": (not self._worker.trouble, self._worker.trouble or "running")}
        for name, check in (("metadata", self.collections.list), ("vectors", self._vectors.ping)):
            try:
                await check()
            except RagsteadError as exc:
                out[name] = (False, str(exc))
            else:
                out[name] = (True, "answers")
        if self._follower is not None:
            out["releases"] = (True, self._follower.word)
        if self.settings.deployment.live_scoring.rate:
            scoring = self.live_scoring
            out["live scoring"] = (True, "off: nothing keeps traces" if scoring is None else scoring.word)
        for name, state in self.tracer.states().items():
            out[f"traces in {name}"] = (True, state.trouble or "running")  # no answer waits for them
        return out


@dataclass(frozen=True, slots=True)
class _Stores:
    """What lies in the data directory."""

    database: Database
    blobs: DirectoryBlobs
    vectors: MilvusServer
    indexes: LocalIndexes
    pool: WorkPool
    blob_guard: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held while blobs are written and named, and while unnamed ones are removed."""


@dataclass(frozen=True, slots=True)
class _Models:
    """What computes."""

    embedding: EmbeddingModel
    reranker: Reranker | None
    pool: WorkPool
    index_identity: str


@asynccontextmanager
async def open_platform(settings: Settings, serving: Serving = _AS_CONFIGURED) -> AsyncIterator[Platform]:
    """Open the data directory, and run a platform on it until the block ends.

    After a process that was killed both indexes are first made to hold what the metadata database says.

    Args:
        settings: What it is made from.
        serving: Which release answers.

    Raises:
        StoreInUse: If another process owns the data directory.
        ConfigurationError: If the settings ask for what this build or machine can't do.
        Unavailable: If a store can't be opened.
        Conflict: If it is to be one release, and that can't be honoured.
    """
    async with AsyncExitStack() as stack:
        data_dir = settings.deployment.data_dir
        lock = DirectoryLock(data_dir)
        lock.acquire()
        stack.callback(lock.release)
        killed = _mark_running(data_dir, stack)
        settings = with_mlflow(settings, serving.mlflow_url)
        tracing = open_tracing(settings, stack)
        models = await _open_models(settings, stack)
        stores = await _open_stores(settings, models, stack)
        ingestor, worker = _ingestion(settings, stores, models, stack)
        if killed:
            await worker.reconcile()
        running = asyncio.create_task(worker.run(), name="ingestion")
        stack.push_async_callback(_stop, running)
        scoring = open_live_scoring(settings, tracing, SqlLiveChunks(stores.database).collection, stack)
        composer = Composer(_foundations(settings, stores, models, (tracing, scoring), stack))
        answering = await open_live_release(composer, stores.pool, stack, serving)
        costs = composer.foundations.costs
        bare = open_bare_models(settings, answering[0].door, tracing.tracer, costs, stack)
        beside = _Beside(bare, costs, tracing.tracer, open_answer_traces(settings, stack), scoring)
        yield _assemble(settings, lock, stores, models, (ingestor, worker), answering, beside)


def _mark_running(data_dir: Path, stack: AsyncExitStack) -> bool:
    """Return whether the last platform on the directory was killed; leave a mark that a clean end takes away."""
    mark = data_dir / _UNCLEAN
    killed = mark.exists()
    mark.touch()

    def unmark(kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or not issubclass(kind, RagsteadError):
            mark.unlink(missing_ok=True)

    stack.push(unmark)
    return killed


async def _open_models(settings: Settings, stack: AsyncExitStack) -> _Models:
    pool = ThreadWorkPool(settings.deployment.threads + 1, max_waiting=4096)
    stack.callback(pool.close)
    embedding = await open_embedding(settings, pool, stack)
    identity = index_identity_of(settings, embedding.pipeline.identity)
    return _Models(embedding, open_reranker(settings, pool), pool, identity)


async def _open_stores(settings: Settings, models: _Models, stack: AsyncExitStack) -> _Stores:
    data_dir = settings.deployment.data_dir
    pool = ThreadWorkPool(16, max_waiting=4096)
    stack.callback(pool.close)
    url = settings.deployment.metadata_url or f"sqlite:///{data_dir / 'metadata.db'}"
    database = Database(url, pool)
    stack.callback(database.close)
    vectors = await _open_vectors(settings, pool, stack)
    dim = models.embedding.pipeline.dim

    async def open_vectors(name: str) -> MilvusVectors:
        return await vectors.index(name, dim)

    indexes = LocalIndexes(
        open_vectors, vectors.drop, data_dir / "bm25", lambda path: _open_lexical(settings, path, pool), pool
    )
    stack.push_async_callback(indexes.close)
    return _Stores(database, DirectoryBlobs(data_dir / "blobs", pool), vectors, indexes, pool)


async def _open_vectors(settings: Settings, pool: WorkPool, stack: AsyncExitStack) -> MilvusServer:
    uri = settings.deployment.milvus_uri
    if uri is None:
        lite = await pool.run(lambda: MilvusLiteProcess(settings.deployment.data_dir / "vectors.db"))
        stack.push_async_callback(pool.run, lite.close)
        uri = lite.uri
    vectors = await MilvusServer.connect(uri, pool)
    stack.push_async_callback(vectors.close)
    return vectors


def _open_lexical(settings: Settings, path: Path, pool: WorkPool) -> TantivyIndex | RankBm25Index:
    if settings.pipeline.retrieval.bm25_engine == "rank_bm25":
        return RankBm25Index(path / "texts.jsonl", pool)
    return TantivyIndex(path / "tantivy", pool, pair_weight=settings.pipeline.retrieval.pair_weight)


def _ingestion(
    settings: Settings, stores: _Stores, models: _Models, stack: AsyncExitStack
) -> tuple[IngestPipeline, IngestWorker]:
    parsing = settings.deployment.parsing
    limits = ParseLimits(
        processes=parsing.processes,
        timeout_s=parsing.timeout_s,
        memory_bytes=parsing.memory_bytes,
        max_file_bytes=settings.deployment.max_upload_bytes,
    )
    parser = ProcessParser(limits)
    stack.push_async_callback(parser.aclose)
    parts = IngestParts(
        ledger=SqlLedger(stores.database),
        truth=SqlIndexTruth(stores.database),
        sweeping=SqlSweeping(stores.database),
        blobs=stores.blobs,
        parser=parser,
        chunker=chunker_of(settings, models.embedding),
        analyser=analyse,
        embedder=models.embedding.pipeline,
        indexes=stores.indexes,
        pool=models.pool,
        index_identity=models.index_identity,
        leaves=models.embedding.leaves,
        marks=open_guard(settings, models.pool).marks,
    )
    worker = IngestWorker(parts, stores.blob_guard)
    ingestor = IngestPipeline(
        SqlCollections(stores.database),
        SqlIntake(stores.database),
        stores.blobs,
        stores.blob_guard,
        IngestPlan(recipe_of(settings), models.index_identity, models.embedding.leaves),
        worker.wake,
    )
    return ingestor, worker


@dataclass(frozen=True, slots=True)
class _Beside:
    """What stands beside the pipelines."""

    bare_models: Mapping[str, BareModel]
    costs: CostBook
    tracer: Tracer
    answer_traces: AnswerTraces | None
    scoring: SampleScoring | None


def _foundations(
    settings: Settings,
    stores: _Stores,
    models: _Models,
    watching: tuple[Tracing, SampleScoring | None],
    stack: AsyncExitStack,
) -> Foundations:
    tracing, scoring = watching
    return Foundations(
        settings,
        stores.database,
        stores.indexes,
        models.embedding,
        models.reranker,
        models.pool,
        ground_of(settings, models.index_identity),
        open_answer_caches(settings.deployment.answer_cache, stack, traced=tracing.is_on),
        tracing,
        scoring,
    )


def _assemble(
    settings: Settings,
    lock: DirectoryLock,
    stores: _Stores,
    models: _Models,
    ingestion: tuple[IngestPipeline, IngestWorker],
    answering: tuple[LiveRelease, ChampionFollower | None],
    beside: _Beside,
) -> Platform:
    return Platform(
        settings,
        lock,
        SqlCollections(stores.database),
        SqlDocuments(stores.database),
        SqlFiles(stores.database),
        stores.blobs,
        stores.indexes,
        SqlLiveChunks(stores.database),
        answering[0],
        answering[0],
        SqlConversations(stores.database),
        SqlConversationTurns(stores.database),
        ingestion[0],
        tuple(ServedModel(name, _PIPELINES_CAN) for name in ("ragstead", "ragstead-agent")),
        beside.bare_models,
        beside.costs,
        models.embedding,
        models.reranker,
        beside.tracer,
        beside.answer_traces,
        beside.scoring,
        ingestion[1],
        stores.vectors,
        models.index_identity,
        stores.blob_guard,
        answering[1],
    )


async def _stop(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
