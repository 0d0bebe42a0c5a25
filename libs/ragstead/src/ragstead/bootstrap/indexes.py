"""The physical indexes of one machine: vectors in Milvus, BM25 beside them, under the same name."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

from ragstead.ports.indexes import Index
from ragstead.ports.lexical_index import LexicalIndex, TermStatistics
from ragstead.ports.vector_index import IndexContents, VectorIndex
from ragstead.ports.work_pool import WorkPool


class _Vectors(VectorIndex, IndexContents, Protocol):
    """A vector index that can be reconciled."""


class _Lexical(LexicalIndex, TermStatistics, IndexContents, Protocol):
    """A BM25 index that can be reconciled and closed."""

    async def close(self) -> None:
        """Let go of its files."""
        ...


class LocalIndexes:
    """Is the `Indexes` port over a vector store and a directory of BM25 indexes.

    Args:
        open_vectors: Opens the vector index of a name.
        drop_vectors: Removes it.
        directory: Where the BM25 indexes lie, one folder each.
        open_lexical: Opens the BM25 index in a folder.
        pool: Where blocking calls run.
    """

    def __init__(
        self,
        open_vectors: Callable[[str], Awaitable[_Vectors]],
        drop_vectors: Callable[[str], Awaitable[None]],
        directory: Path,
        open_lexical: Callable[[Path], _Lexical],
        pool: WorkPool,
    ) -> None:
        self._open_vectors = open_vectors
        self._drop_vectors = drop_vectors
        self._directory = directory
        self._open_lexical = open_lexical
        self._pool = pool
        self._opening = asyncio.Lock()
        self._opened: dict[str, tuple[Index, _Lexical]] = {}

    async def open(self, name: str) -> Index:
        """Return the index of that name; the same name again gives the same object."""
        if name not in self._opened:
            async with self._opening:
                if name not in self._opened:
                    self._opened[name] = await self._open(name)
        return self._opened[name][0]

    async def drop(self, name: str) -> None:
        """Remove the index and all it holds."""
        async with self._opening:
            opened = self._opened.pop(name, None)
            if opened is not None:
                await opened[1].close()
            await self._drop_vectors(name)
            await self._pool.run(lambda: shutil.rmtree(self._directory / name, ignore_errors=True))

    async def close(self) -> None:
        """Let go of all files."""
        for _, lexical in self._opened.values():
            await lexical.close()
        self._opened.clear()

    async def _open(self, name: str) -> tuple[Index, _Lexical]:
        vectors = await self._open_vectors(name)
        lexical = await self._pool.run(lambda: self._open_lexical(self._directory / name))
        return Index(vectors, lexical, lexical, (vectors, lexical)), lexical
