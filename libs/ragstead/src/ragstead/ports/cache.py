"""Bytes by key, that may be gone at any time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol


class Cache(Protocol):
    """Keeps values for a while; what is not there is a miss, and so is any failure: nothing is ever raised.

    How long, and how much, is the cache's own setting.
    """

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, None where there is none; as many as `keys`, in their order."""
        ...

    async def set_many(self, values: Mapping[bytes, bytes]) -> None:
        """Keep the values; a key that is there already is replaced."""
        ...
