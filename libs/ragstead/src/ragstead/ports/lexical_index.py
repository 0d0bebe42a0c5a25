"""Texts by key, searched by BM25."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from ragstead.model import Scope
from ragstead.ports.vector_index import Scores


class LexicalIndex(Protocol):
    """Holds analysed texts under integer keys for one collection and scores them by BM25 (k1 1.2, b 0.75 by default).

    Queries are lists of terms from the same analysis as the texts (`ragstead.analysis`), never a query language.
    Writes survive a `kill -9` of this process once they have returned; every write may be repeated.
    """

    async def add(self, keys: Sequence[int], terms: Sequence[Sequence[str]]) -> None:
        """Store the terms of each text; a key that is there already is replaced.

        Raises:
            Unavailable: If the store is down or its disk is full.
        """
        ...

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions; versions that are not there are passed over."""
        ...

    async def search(self, terms: Sequence[str], k: int, scope: Scope) -> Scores:
        """Return the BM25 score (above 0) of the `k` best keys within `scope` that hold any of `terms`.

        A term given twice counts twice. No terms give no scores.
        """
        ...

    async def score(self, terms: Sequence[str], keys: Collection[int]) -> Scores:
        """Return the BM25 score of each of `keys` that the index holds, 0.0 where none of `terms` occurs."""
        ...


class TermStatistics(Protocol):
    """How rare terms are: what calibration and sentence selection weigh terms by."""

    async def document_frequencies(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        """Return the number of texts held, and for each term the number of them that hold it (0 where none)."""
        ...
