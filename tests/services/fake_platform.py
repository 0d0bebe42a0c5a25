"""A platform in memory, with the attributes that the gateway calls: documents are indexed as they come."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ragstead.bootstrap.embedding import EmbeddingModel
from ragstead.errors import Conflict, NotFound
from ragstead.filters import matches
from ragstead.model import (
    Answer,
    Attributes,
    Chunk,
    Citation,
    Collection,
    Document,
    Hit,
    Reason,
    Receipt,
    State,
    StoredChunk,
    StoredFile,
    Verdict,
)
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.bare_models import BareModel
from ragstead.pipelines.costs import CostBook
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue, QueueLimits
from ragstead.pipelines.ingest import Submission
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.pipelines.sample_scoring import SampleScoring
from ragstead.ports.embedding_events import EmbeddingRelay
from ragstead.ports.ledger import Submitted
from ragstead.ports.model_relay import ModelRelay
from ragstead.ports.reranker import Reranker
from ragstead.ports.tracer import Tracer
from ragstead.relevance import TermWeights
from ragstead.settings import DeploymentSettings, Settings
from ragstead.testing.answer_traces import MemoryAnswerTraces
from ragstead.testing.conversations import MemoryConversations
from ragstead.testing.fakes import HashEncoder, InlinePool
from ragstead.testing.tracing import RecordingTracer


@dataclass(frozen=True)
class FakeModel:
    name: str = "ragstead"
    capabilities: Mapping[str, bool] = field(default_factory=lambda: {"stream": True, "tools": False})


class FakeStore:
    """Collections, documents and files at once; the clock is a counter."""

    def __init__(self) -> None:
        self.ticks = itertools.count(1_760_000_000)
        self.kept: dict[str, Collection] = {}
        self.held: dict[tuple[str, str], tuple[Document, str]] = {}
        self.uploads: dict[str, StoredFile] = {}
        self.next_state = State.INDEXED

    def collection(self, name_or_id: str) -> Collection:
        for one in self.kept.values():
            if name_or_id in (one.collection_id, one.name):
                documents = [d for (c, _), (d, _) in self.held.items() if c == one.collection_id]
                size = sum(document.size_bytes for document in documents)
                return replace(one, counts=Counter(d.state for d in documents), size_bytes=size)
        raise NotFound("collection", name_or_id)

    def document(self, collection_id: str, document_id: str) -> tuple[Document, str]:
        if (collection_id, document_id) not in self.held:
            raise NotFound("document", document_id)
        return self.held[collection_id, document_id]


class FakeCollections:
    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def create(self, name: str, *, index_identity: str, metadata: Mapping[str, str]) -> Collection:
        if any(one.name == name for one in self._store.kept.values()):
            raise Conflict(f"a collection named {name!r} is there already")
        tick = next(self._store.ticks)
        made = Collection(f"vs_{tick:x}", name, 0, "index", index_identity, tick, dict(metadata))
        self._store.kept[made.collection_id] = made
        return made

    async def find(self, name_or_id: str) -> Collection:
        return self._store.collection(name_or_id)

    async def list(self) -> list[Collection]:
        return [self._store.collection(one) for one in self._store.kept]

    async def change(self, collection_id: str, *, name: str | None, metadata: Mapping[str, str] | None) -> Collection:
        have = self._store.collection(collection_id)
        if name is not None and any(o.name == name for i, o in self._store.kept.items() if i != collection_id):
            raise Conflict(f"a collection named {name!r} is there already")
        labels = have.metadata if metadata is None else metadata
        self._store.kept[collection_id] = replace(
            self._store.kept[collection_id], name=name or have.name, metadata=labels
        )
        return self._store.collection(collection_id)


class FakeDocuments:
    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def find(self, collection_id: str, document_id: str) -> Document:
        return self._store.document(collection_id, document_id)[0]

    async def list(self, collection_id: str, *, limit: int, after: str | None = None) -> list[Document]:
        ids = sorted(d for c, d in self._store.held if c == collection_id and (after is None or d > after))
        return [self._store.held[collection_id, one][0] for one in ids[:limit]]

    async def text(self, collection_id: str, document_id: str) -> str:
        document, text = self._store.document(collection_id, document_id)
        return text if document.state is State.INDEXED else ""

    async def set_attributes(self, collection_id: str, document_id: str, attributes: Attributes) -> Document:
        document, text = self._store.document(collection_id, document_id)
        changed = replace(document, attributes=dict(attributes))
        self._store.held[collection_id, document_id] = (changed, text)
        return changed


class FakeFiles:
    def __init__(self, store: FakeStore) -> None:
        self._store = store

    async def add(self, filename: str, purpose: str, sha256: str, size_bytes: int) -> StoredFile:
        tick = next(self._store.ticks)
        file = StoredFile(f"file-{tick:024x}", filename, purpose, size_bytes, sha256, tick)
        self._store.uploads[file.file_id] = file
        return file

    async def find(self, file_id: str) -> StoredFile:
        if file_id not in self._store.uploads:
            raise NotFound("file", file_id)
        return self._store.uploads[file_id]

    async def list(self, *, limit: int, after: str | None = None) -> list[StoredFile]:
        newest_first = list(self._store.uploads.values())[::-1]
        if after is not None:
            newest_first = newest_first[[one.file_id for one in newest_first].index(after) + 1 :]
        return newest_first[:limit]

    async def documents_of(self, file_id: str) -> list[Document]:
        return [document for document, _ in self._store.held.values() if document.file_id == file_id]


class FakeBlobs:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        (self._folder / sha256).write_bytes(data)
        return sha256

    def path(self, sha256: str) -> Path:
        return self._folder / sha256

    async def delete(self, sha256: str) -> None:
        (self._folder / sha256).unlink(missing_ok=True)


class FakeIngestor:
    def __init__(self, store: FakeStore, files: FakeFiles, collections: FakeCollections, blobs: FakeBlobs) -> None:
        self._store, self._files, self._collections, self._blobs = store, files, collections, blobs

    async def submit(
        self, collection: str, submissions: Sequence[Submission], *, create: bool = True
    ) -> list[Submitted]:
        try:
            target = self._store.collection(collection)
        except NotFound:
            if not create:
                raise
            target = await self._collections.create(collection, index_identity="fake", metadata={})
        return [await self._take(target, one) for one in submissions]

    async def _take(self, target: Collection, one: Submission) -> Submitted:
        held = self._store.held.get((target.collection_id, one.document_id))
        text = one.data.decode("utf-8", errors="replace")
        if held is not None and held[1] == text:
            return Submitted(one.document_id, held[0].file_id, "unchanged")
        sha256 = await self._blobs.put(one.data)
        file_id = one.file_id or (await self._files.add(one.filename, "user_data", sha256, len(one.data))).file_id
        state = State.EMPTY if not text.strip() else self._store.next_state
        reason = "it is damaged" if state is State.FAILED else None
        chunks = 1 if state is State.INDEXED else 0
        document = Document(
            target.collection_id, one.document_id, file_id, one.filename, one.title, state, reason, None, chunks,
            dict(one.attributes), len(one.data), next(self._store.ticks),
        )  # fmt: skip
        self._store.held[target.collection_id, one.document_id] = (document, text)
        return Submitted(one.document_id, file_id, "queued")

    async def delete(self, collection: str, document_id: str) -> None:
        target = self._store.collection(collection)
        self._store.document(target.collection_id, document_id)
        del self._store.held[target.collection_id, document_id]

    async def delete_collection(self, collection: str) -> None:
        target = self._store.collection(collection)
        del self._store.kept[target.collection_id]
        for key in [key for key in self._store.held if key[0] == target.collection_id]:
            del self._store.held[key]

    async def delete_file(self, file_id: str) -> None:
        await self._files.find(file_id)
        del self._store.uploads[file_id]
        for key in [key for key, (document, _) in self._store.held.items() if document.file_id == file_id]:
            del self._store.held[key]


class FakeRetriever:
    """Finds documents that share a word with the query; the score is the share of the query's words."""

    def __init__(self, store: FakeStore) -> None:
        self._store = store
        self.error: Exception | None = None
        self.asked: list[SearchRequest] = []

    async def search(self, request: SearchRequest) -> SearchResult:
        self.asked.append(request)
        if self.error is not None:
            raise self.error
        collection = self._store.collection(request.collection)
        words = set(request.query.lower().split())
        hits = []
        for (collection_id, _), (document, text) in self._store.held.items():
            share = len(words & set(text.lower().split())) / len(words)
            if collection_id == collection.collection_id and share and matches(request.filter, document.attributes):
                chunk = Chunk(0, 0, len(text), text)
                stored = StoredChunk(0, f"{document.document_id}:1:0", document.document_id, document.file_id,
                                     document.filename, document.title, chunk)  # fmt: skip
                hits.append(Hit(stored, share, share, 1.0, share))
        hits.sort(key=lambda hit: -hit.score)
        return SearchResult(
            tuple(hits[: request.k]), {"embed": 0.5}, collection, TermWeights(), np.zeros(1, np.float32)
        )


class FakeAnswerer:
    """Answers with the best document's first five words, word by word, or refuses."""

    def __init__(self, retriever: FakeRetriever) -> None:
        self._retriever = retriever
        self.asked: list[AskRequest] = []
        self.closed = asyncio.Event()
        self.error: Exception | None = None
        self.error_after: int | None = None
        self.pause_s = 0.0

    async def answer(self, request: AskRequest) -> Answer:
        async with aclosing(self.stream(request)) as pieces:
            return [piece async for piece in pieces if isinstance(piece, Answer)].pop()

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        self.asked.append(request)
        try:
            if self.error is not None and self.error_after is None:
                raise self.error
            found = await self._retriever.search(
                SearchRequest(request.question, request.collection, 5, None, request.filter)
            )
            answer = _answer(found)
            for i, piece in enumerate(answer.content.split(" ")):
                await asyncio.sleep(self.pause_s)
                if self.error is not None and i == self.error_after:
                    raise self.error
                yield piece if i == 0 else f" {piece}"
            yield answer
        finally:
            self.closed.set()


def _answer(found: SearchResult) -> Answer:
    receipt = Receipt("r-1", found.collection.version, "0" * 32, "extractive", timings_ms={"total": 1.0})
    if not found.hits:
        return Answer("I found nothing.", (), True, Reason.NO_EVIDENCE, 0.01, "stop", replace(receipt))
    stored = found.hits[0].stored
    quote = stored.chunk.text[:60].strip()
    begin = stored.chunk.text.index(quote)
    content = f"{quote} [1]."
    citation = Citation(
        1, 0, len(quote), len(quote) + 1, stored, quote, begin, begin + len(quote), 0.9, Verdict.SUPPORTED
    )
    return Answer(content, (citation,), False, None, 0.9, "stop", receipt)


def hash_embedding(limits: QueueLimits | None = None) -> EmbeddingModel:
    """An embedding model without a model, that goes by the names of the real one; it reads 16 tokens."""
    encoder, events, pool = HashEncoder(), EmbeddingRelay(), InlinePool()
    pipeline = EmbedPipeline(encoder, EncodeQueue(encoder, pool, limits, events), pool, None, events)
    aliases = frozenset({"text-embedding-3-small", "text-embedding-ada-002"})
    return EmbeddingModel("all-MiniLM-L6-v2", aliases, "cpu", pipeline, encoder, events)


class FakePlatform:
    """Everything behind the gateway."""

    def __init__(self, folder: Path, **deployment: object) -> None:
        self.settings = Settings(deployment=DeploymentSettings(**{"data_dir": folder, **deployment}))
        self.store = FakeStore()
        self.collections = FakeCollections(self.store)
        self.documents = FakeDocuments(self.store)
        self.files = FakeFiles(self.store)
        self.blobs = FakeBlobs(folder)
        self.retriever = FakeRetriever(self.store)
        self.answerer = FakeAnswerer(self.retriever)
        self.ingestor = FakeIngestor(self.store, self.files, self.collections, self.blobs)
        self.conversations = self.conversation_turns = MemoryConversations()
        self.models = (FakeModel(), FakeModel("ragstead-agent"))
        self.embedding = hash_embedding()
        self.reranker: Reranker | None = None
        self.tracer: Tracer = RecordingTracer()
        self.relays: dict[str, ModelRelay] = {}
        self.costs = CostBook()
        self.answer_traces: MemoryAnswerTraces | None = None
        self.live_scoring: SampleScoring | None = None
        self.ready = {"metadata": (True, "answers"), "vectors": (True, "answers")}

    @property
    def bare_models(self) -> dict[str, BareModel]:
        return {name: BareModel(relay) for name, relay in self.relays.items()}

    async def create_collection(self, name: str, metadata: Mapping[str, str]) -> Collection:
        return await self.collections.create(name, index_identity="fake", metadata=metadata)

    async def upload(self, filename: str, purpose: str, data: bytes) -> StoredFile:
        return await self.files.add(filename, purpose, await self.blobs.put(data), len(data))

    async def readiness(self) -> dict[str, tuple[bool, str]]:
        return self.ready
