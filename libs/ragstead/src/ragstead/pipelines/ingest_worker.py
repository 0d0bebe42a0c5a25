"""The worker behind ingestion: it moves versions from state to state, and resumes where a killed one stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragstead.egress import refuse_egress
from ragstead.errors import Forbidden, IndexMismatch, InvalidRequest, RagsteadError, UnreadableDocument
from ragstead.model import Chunk, ExtractedText, State, version_of
from ragstead.ports.blob_store import BlobStore
from ragstead.ports.embedder import Embedder
from ragstead.ports.indexes import Indexes
from ragstead.ports.ledger import IndexableChunk, IndexTruth, Ledger, Parsed, Sweeping, Work
from ragstead.ports.loader import Parser
from ragstead.ports.work_pool import WorkPool

_log = logging.getLogger(__name__)

Chunker = Callable[[ExtractedText], tuple[str, Sequence[Chunk]]]
"""Returns the title as it is indexed with every chunk, and the chunks."""
Analyser = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class IngestParts:
    """What the worker is composed of.

    Attributes:
        ledger: The state machine.
        truth: What the indexes ought to hold.
        sweeping: What they may forget.
        blobs: The original bytes.
        parser: Reads files in child processes.
        chunker: Cuts a text into chunks.
        analyser: Turns a text into the terms that BM25 knows.
        embedder: Turns texts into vectors.
        indexes: The physical indexes.
        pool: Where CPU-bound work runs.
        index_identity: What the running embedder and analysis make indexes with.
        leaves: Whether the embedder sends texts to a hosted API.
        marks: Says of each text how probable it is that something is injected; None: nobody looks.
    """

    ledger: Ledger
    truth: IndexTruth
    sweeping: Sweeping
    blobs: BlobStore
    parser: Parser
    chunker: Chunker
    analyser: Analyser
    embedder: Embedder
    indexes: Indexes
    pool: WorkPool
    index_identity: str
    leaves: bool = False
    marks: Callable[[Sequence[str]], Awaitable[Sequence[float]]] | None = None


@dataclass(frozen=True, slots=True)
class _Embedded:
    """Chunks of versions of one index, ready to be stored."""

    works: Sequence[Work]
    keys: Sequence[int]
    terms: Sequence[Sequence[str]]
    vectors: NDArray[np.float32]


class IngestWorker:
    """Takes documents through their states, oldest first, in batches; one runs over a metadata database.

    A step that a fault interrupts is done again: by this worker where a part was down, by the next process where
    this one was killed. Nothing it does twice differs from once.

    Args:
        parts: What it works with.
        blob_guard: The lock under which blobs are named.
        documents_per_batch: How many documents are embedded together; more is faster, and shows them later.
        retry_s: Seconds to wait before another try when a part is down.
    """

    def __init__(
        self,
        parts: IngestParts,
        blob_guard: asyncio.Lock,
        *,
        documents_per_batch: int = 128,
        retry_s: float = 1.0,
    ) -> None:
        self._parts = parts
        self._blob_guard = blob_guard
        self._batch = documents_per_batch
        self._retry_s = retry_s
        self._wake = asyncio.Event()
        self.trouble = ""
        """What keeps the worker from its work now; empty when all is well."""

    def wake(self) -> None:
        """Make the worker look for work now."""
        self._wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            self._wake.clear()
            try:
                worked = await self.step()
                self.trouble = ""
            except Exception as exc:  # noqa: BLE001  (outermost loop: a fault of one batch must not end ingestion)
                _log.warning(
                    "ingestion waits %.0f s: %s",
                    self._retry_s,
                    exc,
                    exc_info=not isinstance(exc, RagsteadError),
                )
                self.trouble = str(exc)
                await asyncio.sleep(self._retry_s)
                continue
            if not worked:
                await self._wake.wait()

    async def step(self) -> bool:
        """Do the next batch of each kind of work, parsing beside embedding; False where there was none.

        Raises:
            Unavailable: If a part is down; what was being done is done again by the next call.
        """
        outcomes = await asyncio.gather(self._parse_some(), self._index_some(), return_exceptions=True)
        for outcome in outcomes:  # only now, as nothing of a step may run beside the next one
            if isinstance(outcome, BaseException):
                raise outcome
        return await self._sweep_some() or any(outcomes)

    async def reconcile(self) -> int:
        """Make the stores hold what the metadata database says, after a process was killed.

        Chunks of versions that are not live are removed, versions of which an index lacks chunks are sent back to
        be embedded again, and blobs that nothing names are deleted. Indexes of another embedder or analysis are left
        as they are until that one runs again. Returns the number of versions that were wrong.
        """
        async with self._blob_guard:
            for sha256 in await self._parts.blobs.stored() - await self._parts.sweeping.needed_blobs():
                await self._parts.blobs.delete(sha256)
        wrong = 0
        for name, identity in (await self._parts.truth.index_names()).items():
            if identity != self._parts.index_identity:
                continue
            index = await self._parts.indexes.open(name)
            held = [_count_by_version(await contents.keys()) for contents in index.contents]
            live = await self._parts.truth.live_keys(name)
            strange = {version for side in held for version in side if version not in live}
            lost = {v for v, count in live.items() if any(side.get(v, 0) != count for side in held)}
            await index.vectors.remove(strange | lost)
            await index.lexical.remove(strange | lost)
            await self._parts.truth.reopen(lost)
            wrong += len(strange) + len(lost)
        return wrong

    async def _parse_some(self) -> bool:
        works = await self._parts.ledger.claim(self._batch, State.PARSING)
        works += await self._parts.ledger.claim(self._batch - len(works), State.QUEUED)
        if not works:
            return False
        await self._parts.ledger.advance([work.version_key for work in works], State.PARSING)
        outcomes = await asyncio.gather(*(self._outcome(self._parse(work)) for work in works))
        parsed = [outcome for outcome in outcomes if isinstance(outcome, Parsed)]
        failed = {
            work.version_key: outcome for work, outcome in zip(works, outcomes, strict=True) if isinstance(outcome, str)
        }
        await self._parts.ledger.record(parsed, failed)
        return True

    async def _outcome(self, parsing: Awaitable[Parsed]) -> Parsed | str:
        try:
            return await parsing
        except (UnreadableDocument, InvalidRequest, IndexMismatch, Forbidden) as exc:
            return str(exc) or "it can't be read"

    def _admit(self, work: Work) -> None:
        """Refuse what would be embedded by another model than its index was made with, or by one it must not reach."""
        if work.index_identity != self._parts.index_identity:
            raise IndexMismatch(
                f"collection {work.collection_id} was indexed with {work.index_identity}, and "
                f"{self._parts.index_identity} is running; go back to the former, or make a new collection"
            )
        refuse_egress(work.collection_id, leaves=self._parts.leaves, may_leave=work.may_leave)

    async def _parse(self, work: Work) -> Parsed:
        self._admit(work)
        path = self._parts.blobs.path(work.sha256)
        if work.plain_text:
            extracted = await self._parts.pool.run(lambda: ExtractedText(_text(path), work.title))
        else:
            extracted = await self._parts.parser.parse(path, work.filename)
        titled = ExtractedText(extracted.text, work.title or extracted.title, extracted.headings, extracted.page_starts)
        title, chunks = await self._parts.pool.run(lambda: self._parts.chunker(titled))
        return Parsed(work.version_key, titled, title, await self._marked(chunks))

    async def _marked(self, chunks: Sequence[Chunk]) -> Sequence[Chunk]:
        if self._parts.marks is None or not chunks:
            return chunks
        marks = await self._parts.marks([chunk.text for chunk in chunks])
        return [replace(chunk, injection=mark) for chunk, mark in zip(chunks, marks, strict=True)]

    async def _index_some(self) -> bool:
        works = await self._parts.ledger.claim(self._batch, State.INDEXING)
        works += await self._parts.ledger.claim(self._batch - len(works), State.EMBEDDING)
        for name in dict.fromkeys(work.index_name for work in works):
            await self._index_or_fail(name, [work for work in works if work.index_name == name])
        return bool(works)

    async def _index_or_fail(self, name: str, works: Sequence[Work]) -> None:
        """Index a batch; where something in it can't be, find which one it is and fail that one alone."""
        try:
            await self._index(name, works)
        except (IndexMismatch, InvalidRequest, Forbidden) as exc:
            if len(works) == 1:
                await self._parts.ledger.record([], {works[0].version_key: str(exc)})
                return
            for work in works:
                await self._index_or_fail(name, [work])

    async def _index(self, name: str, works: Sequence[Work]) -> None:
        for work in works:
            self._admit(work)
        embedded, index = await asyncio.gather(self._embed(works), self._parts.indexes.open(name))
        keys = [work.version_key for work in embedded.works]
        await self._parts.ledger.advance(keys, State.INDEXING)
        await asyncio.gather(
            index.vectors.add(embedded.keys, embedded.vectors),
            index.lexical.add(embedded.keys, embedded.terms),
        )
        await self._parts.ledger.publish(keys)

    async def _embed(self, works: Sequence[Work]) -> _Embedded:
        chunks = await self._parts.truth.chunks([work.version_key for work in works])
        ordered = [chunk for work in works for chunk in chunks[work.version_key]]
        terms = await self._parts.pool.run(lambda: self._terms([chunks[work.version_key] for work in works]))
        vectors = await self._parts.embedder.embed([chunk.text for chunk in ordered], "passage")
        return _Embedded(works, [chunk.key for chunk in ordered], terms, vectors)

    def _terms(self, versions: Sequence[Sequence[IndexableChunk]]) -> list[list[str]]:
        """Return what BM25 knows of each chunk: its heading, and its text with that of its neighbours.

        A short chunk names its subject in the sentence before; with its neighbours BM25 still finds it.
        """
        out = []
        for chunks in versions:
            bodies = [self._parts.analyser(chunk.body) for chunk in chunks]
            headings = [self._parts.analyser(chunk.heading) for chunk in chunks]
            for i, heading in enumerate(headings):
                out.append([*heading, *(term for body in bodies[max(0, i - 1) : i + 2] for term in body)])
        return out

    async def _sweep_some(self) -> bool:
        found = await self._parts.sweeping.dead(1000)
        for dead in found:
            if dead.version_keys:
                index = await self._parts.indexes.open(dead.index_name)
                await index.vectors.remove(dead.version_keys)
                await index.lexical.remove(dead.version_keys)
            else:
                await self._parts.indexes.drop(dead.index_name)
            async with self._blob_guard:
                for sha256 in await self._parts.sweeping.forget(dead):
                    await self._parts.blobs.delete(sha256)
        return bool(found)


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")


def _count_by_version(keys: NDArray[np.int64]) -> dict[int, int]:
    versions, counts = np.unique([version_of(int(key)) for key in keys], return_counts=True)
    return {int(version): int(count) for version, count in zip(versions, counts, strict=True)}
