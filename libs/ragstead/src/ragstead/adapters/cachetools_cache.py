"""A cache in this process, bounded by bytes, by cachetools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cachetools import TTLCache

_OVERHEAD_BYTES = 250
"""What an entry takes beside its key and value, about."""


class MemoryCache:
    """Is a `Cache` that lives and ends with this process; the least recently used goes first. For one event loop.

    Args:
        max_bytes: How much it may hold, the overhead of entries counted. Higher: more hits, more memory.
        ttl_s: Seconds after which an entry is gone.
    """

    def __init__(self, max_bytes: int, *, ttl_s: float) -> None:
        self._entries: TTLCache[bytes, bytes] = TTLCache(max_bytes, ttl_s, getsizeof=_size)

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key, None where there is none."""
        return [self._entries.get(key) for key in keys]

    async def set_many(self, values: Mapping[bytes, bytes]) -> None:
        """Keep the values, but for those larger than the cache."""
        for key, value in values.items():
            if _size(value) <= self._entries.maxsize:
                self._entries[key] = value


def _size(value: bytes) -> int:
    return len(value) + _OVERHEAD_BYTES
