"""Collections by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ragstead.model import Collection


class Collections(Protocol):
    """The collections there are; the metadata database is the truth about them."""

    async def create(self, name: str, *, index_identity: str, metadata: Mapping[str, str]) -> Collection:
        """Add an empty collection.

        Raises:
            Conflict: If the name is taken.
        """
        ...

    async def find(self, name_or_id: str) -> Collection:
        """Return the collection of that name or id, with its counts.

        Raises:
            NotFound: If there is none.
        """
        ...

    async def list(self) -> list[Collection]:
        """Return all, oldest first, with their counts."""
        ...

    async def change(self, collection_id: str, *, name: str | None, metadata: Mapping[str, str] | None) -> Collection:
        """Rename it, or replace its labels; None leaves as it is.

        Raises:
            NotFound: If there is none.
            Conflict: If the name is taken.
        """
        ...
