"""The physical indexes behind collections."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from ragstead.ports.lexical_index import LexicalIndex, TermStatistics
from ragstead.ports.vector_index import IndexContents, VectorIndex


@dataclass(frozen=True, slots=True)
class Index:
    """One physical index: vectors and BM25 over the same keys.

    Attributes:
        vectors: The dense side.
        lexical: The BM25 side.
        terms: How rare terms are, from the BM25 side.
        contents: Both sides' keys, vectors first, for reconciliation.
    """

    vectors: VectorIndex
    lexical: LexicalIndex
    terms: TermStatistics
    contents: tuple[IndexContents, IndexContents]


class Indexes(Protocol):
    """Opens and drops physical indexes by name."""

    async def open(self, name: str) -> Index:
        """Return the index of that name, empty where it is new; the same name again gives the same object.

        Raises:
            Unavailable: If a store behind it is down.
        """
        ...

    async def drop(self, name: str) -> None:
        """Remove the index and all it holds; one that is not there is passed over."""
        ...
