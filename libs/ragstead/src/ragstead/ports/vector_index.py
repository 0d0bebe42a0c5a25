"""Vectors by key, searched by cosine."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragstead.model import Scope

Scores = dict[int, float]
"""Score by chunk key, best first; higher is better, ties by ascending key."""


class VectorIndex(Protocol):
    """Holds unit vectors under integer keys (`ragstead.model.chunk_key`) for one collection.

    Writes survive a `kill -9` of this process once they have returned; every write may be repeated.
    """

    async def add(self, keys: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store `vectors` of shape `[len(keys), dim]`; a key that is there already is replaced.

        Raises:
            IndexMismatch: If the width is not the index's.
            Unavailable: If the store is down.
        """
        ...

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions; versions that are not there are passed over."""
        ...

    async def search(self, vector: NDArray[np.float32], k: int, scope: Scope) -> Scores:
        """Return the cosine of the `k` nearest keys within `scope`; fewer where the scope holds fewer."""
        ...

    async def score(self, vector: NDArray[np.float32], keys: Collection[int]) -> Scores:
        """Return the cosine of each of `keys` that the index holds; the others are absent."""
        ...


class IndexContents(Protocol):
    """What an index holds, for the reconciliation that follows a crash."""

    async def keys(self) -> NDArray[np.int64]:
        """Return every key, ascending."""
        ...
