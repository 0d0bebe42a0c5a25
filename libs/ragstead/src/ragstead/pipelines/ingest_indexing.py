"""The second half of a version's way in: its chunks become vectors and terms, are stored, and seen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import Forbidden, IndexMismatch, InvalidRequest
from ragstead.model import State
from ragstead.pipelines.ingest_parts import IngestParts
from ragstead.ports.indexes import Index
from ragstead.ports.ledger import IndexableChunk, Work

_TEXTS_A_REQUEST = 256
"""Chunks that are embedded by one call, so that a batch of long documents does not fill the embedder's queue."""


@dataclass(frozen=True, slots=True)
class _Embedded:
    """Chunks of versions of one index, ready to be stored."""

    works: Sequence[Work]
    keys: Sequence[int]
    terms: Sequence[Sequence[str]]
    vectors: NDArray[np.float32]


class Indexing:
    """Makes versions visible.

    Args:
        parts: What it works with.
        writing: Held while the indexes are written to, so that one batch or sweep does at a time.
    """

    def __init__(self, parts: IngestParts, writing: asyncio.Lock) -> None:
        self._parts = parts
        self._writing = writing

    async def index(self, works: Sequence[Work]) -> None:
        """Embed the versions, store them in their indexes and publish them.

        Where something in a batch can't be, it is found out which one it is, and that one alone fails.

        Raises:
            Unavailable: If a part is down.
        """
        for name in dict.fromkeys(work.index_name for work in works):
            await self._index_or_fail(name, [work for work in works if work.index_name == name])

    async def _index_or_fail(self, name: str, works: Sequence[Work]) -> None:
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
            self._parts.admit(work)
        embedded, index = await asyncio.gather(self._embed(works), self._parts.indexes.open(name))
        async with self._writing:
            await self._store(embedded, index)

    async def _store(self, embedded: _Embedded, index: Index) -> None:
        keys = [work.version_key for work in embedded.works]
        await self._parts.ledger.advance(keys, State.INDEXING)
        await _all(
            index.vectors.add(embedded.keys, embedded.vectors),
            index.lexical.add(embedded.keys, embedded.terms),
        )
        await self._parts.ledger.publish(keys)

    async def _embed(self, works: Sequence[Work]) -> _Embedded:
        chunks = await self._parts.truth.chunks([work.version_key for work in works])
        ordered = [chunk for work in works for chunk in chunks[work.version_key]]
        vectors = [np.empty((0, self._parts.embedder.dim), dtype=np.float32)]
        for start in range(0, len(ordered), _TEXTS_A_REQUEST):
            texts = [chunk.text for chunk in ordered[start : start + _TEXTS_A_REQUEST]]
            vectors.append(await self._parts.embedder.embed(texts, "passage"))
        terms = await self._parts.pool.run(lambda: self._terms([chunks[work.version_key] for work in works]))
        return _Embedded(works, [chunk.key for chunk in ordered], terms, np.concatenate(vectors))

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


async def _all(*writes: Awaitable[Any]) -> None:
    """Await all, and only then raise what one of them raised: nothing goes on behind the lock's back."""
    for outcome in await asyncio.gather(*writes, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
