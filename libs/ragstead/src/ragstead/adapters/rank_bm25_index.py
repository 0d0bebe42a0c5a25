"""BM25 by rank_bm25: the reference that the engine is compared with, selectable for small collections.

It holds every text in memory, scores all of them for a query, and counts all of them again after a change.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import rank_bm25
from numpy.typing import NDArray

from ragstead.errors import Unavailable
from ragstead.model import Scope, version_of
from ragstead.ports.vector_index import Scores
from ragstead.ports.work_pool import WorkPool

_Texts = dict[int, list[str]]


class _LuceneOkapi(rank_bm25.BM25Okapi):  # type: ignore[misc]  # the library is untyped
    """Is Okapi BM25 with Lucene's idf; the library's own is negative for a term that most texts hold."""

    def _calc_idf(self, nd: dict[str, int]) -> None:
        total = self.corpus_size
        self.idf = {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in nd.items()}


class RankBm25Index:
    """Holds terms under keys in a JSON Lines file; a `LexicalIndex` with its contents and term statistics.

    A write replaces the whole file, which a process killed within it leaves as it was.
    """

    def __init__(self, path: Path, pool: WorkPool, *, k1: float = 1.2, b: float = 0.75) -> None:
        """Read the file at `path`, or start empty.

        Raises:
            Unavailable: If the file can't be read.
        """
        self._path = path
        self._pool = pool
        self._k1 = k1
        self._b = b
        self._writing = threading.Lock()
        with _edge(path):
            self._snapshot = _Snapshot(_read(path), k1, b)

    async def add(self, keys: Sequence[int], terms: Sequence[Sequence[str]]) -> None:
        """Store the terms of each text; of a key that comes twice the last one stays."""
        added = {key: list(words) for key, words in zip(keys, terms, strict=True)}
        await self._pool.run(lambda: self._change(lambda texts: texts | added))

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions; versions that are not there are passed over."""
        await self._pool.run(
            lambda: self._change(lambda texts: {k: t for k, t in texts.items() if version_of(k) not in version_keys})
        )

    async def search(self, terms: Sequence[str], k: int, scope: Scope) -> Scores:
        """Return the BM25 score of the `k` best keys within `scope`."""
        if not terms or k < 1:
            return {}
        scores = await self._pool.run(lambda: self._snapshot.scores(terms))
        return _best({key: score for key, score in scores.items() if score > 0 and scope.admits(key)}, k)

    async def score(self, terms: Sequence[str], keys: Collection[int]) -> Scores:
        """Return the BM25 score of each of `keys` that the index holds."""
        wanted = set(keys)
        scores = await self._pool.run(lambda: self._snapshot.scores(terms))
        return _best({key: score for key, score in scores.items() if key in wanted}, len(wanted))

    async def keys(self) -> NDArray[np.int64]:
        """Return every key, ascending."""
        return np.array(sorted(self._snapshot.texts), dtype=np.int64)

    async def document_frequencies(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        """Return the number of texts held, and for each term the number of them that hold it."""
        return await self._pool.run(lambda: self._snapshot.document_frequencies(terms))

    async def close(self) -> None:
        """Do nothing: no file is held open between writes."""

    def _change(self, change: Callable[[_Texts], _Texts]) -> None:
        with self._writing, _edge(self._path):
            texts = change(self._snapshot.texts)
            _write(self._path, texts)
            self._snapshot = _Snapshot(texts, self._k1, self._b)


class _Snapshot:
    """Is the state between two writes; its model is counted when it is first searched."""

    def __init__(self, texts: _Texts, k1: float, b: float) -> None:
        self.texts = texts
        self._keys = sorted(texts)
        self._parameters = {"k1": k1, "b": b}
        self._counting = threading.Lock()
        self._model: _LuceneOkapi | None = None

    def scores(self, terms: Sequence[str]) -> Scores:
        """Return the score of every text, 0.0 where none of `terms` occurs."""
        if not any(self.texts.values()):
            return dict.fromkeys(self._keys, 0.0)
        values: list[float] = self._counted().get_scores(list(terms)).tolist()
        return dict(zip(self._keys, values, strict=True))

    def document_frequencies(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        held = self._counted().doc_freqs if any(self.texts.values()) else []
        return len(self._keys), {term: sum(term in text for text in held) for term in terms}

    def _counted(self) -> _LuceneOkapi:
        with self._counting:
            if self._model is None:
                self._model = _LuceneOkapi([self.texts[key] for key in self._keys], **self._parameters)
            return self._model


def _best(scores: Scores, k: int) -> Scores:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:k])


def _read(path: Path) -> _Texts:
    if not path.exists():
        return {}
    with path.open(encoding="utf-8") as lines:
        return {row["key"]: row["terms"] for row in map(json.loads, lines)}


def _write(path: Path, texts: _Texts) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:
        for key, terms in texts.items():
            file.write(json.dumps({"key": key, "terms": terms}) + "\n")
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _edge(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        raise Unavailable("bm25", f"the BM25 texts in {path} can't be used: {error}; check the disk") from error
