"""The original bytes of every version."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class BlobStore(Protocol):
    """Keeps bytes under their sha256; a blob that is stored is whole or not there, whatever happens to the process."""

    async def put(self, data: bytes) -> str:
        """Store `data` durably and return its sha256 in hexadecimal; the same bytes twice are stored once.

        Raises:
            Unavailable: If the disk is full.
        """
        ...

    async def put_many(self, blobs: Sequence[bytes]) -> list[str]:
        """Store many as `put` stores one, and return the sha256 of each, in their order.

        Raises:
            Unavailable: If the disk is full; some may have been stored.
        """
        ...

    def path(self, sha256: str) -> Path:
        """Return where the blob lies as a local file.

        Raises:
            NotFound: If there is none.
        """
        ...

    async def stored(self) -> set[str]:
        """Return the sha256 of every blob."""
        ...

    async def delete(self, sha256: str) -> None:
        """Remove the blob; one that is not there is passed over."""
        ...
