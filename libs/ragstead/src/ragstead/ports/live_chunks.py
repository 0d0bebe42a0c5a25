"""What retrieval reads of the metadata database."""

from __future__ import annotations

from collections.abc import Collection as Many
from typing import Protocol

from ragstead.filters import Filter
from ragstead.model import Collection, Scope, StoredChunk


class LiveChunks(Protocol):
    """The chunks that may be shown: those of each document's live version, at the moment of the call."""

    async def collection(self, name_or_id: str) -> Collection:
        """Return the collection, without its counts.

        Raises:
            NotFound: If there is none.
        """
        ...

    async def scope(self, collection_id: str, condition: Filter | None) -> Scope:
        """Return the scope of the live versions whose documents pass `condition`, for the indexes to search in.

        Without a condition the scope is everything: what is no longer live is left out by `fetch`.
        """
        ...

    async def fetch(self, collection_id: str, keys: Many[int], condition: Filter | None) -> dict[int, StoredChunk]:
        """Return those of `keys` that are live and pass `condition` now; the others are absent."""
        ...
