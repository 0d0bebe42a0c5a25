"""The suite of `Cache`."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from ragstead.ports.cache import Cache


class CacheContract:
    """What any `Cache` does; subclasses define `cache`, which gives a new, empty one."""

    def cache(self) -> Cache:
        """Return an empty cache."""
        raise AssertionError("a suite says what it tests")

    async def end(self, cache: Cache) -> None:
        """Close what `cache` opened."""

    def after(self, values: Mapping[bytes, bytes], keys: Sequence[bytes]) -> list[bytes | None]:
        """Set `values` in a new cache and get `keys`."""

        async def both() -> list[bytes | None]:
            cache = self.cache()
            try:
                await cache.set_many(values)
                return await cache.get_many(keys)
            finally:
                await self.end(cache)

        return asyncio.run(both())

    def test_values_come_back_in_the_order_of_the_keys(self) -> None:
        values = {b"a": b"1", b"b": b"\x00\xff", b"c": b""}
        assert self.after(values, [b"c", b"missing", b"a", b"b", b"a"]) == [b"", None, b"1", b"\x00\xff", b"1"]

    def test_nothing_asked_is_nothing_found(self) -> None:
        assert self.after({}, []) == []

    def test_later_value_replaces(self) -> None:
        async def twice() -> list[bytes | None]:
            cache = self.cache()
            await cache.set_many({b"a": b"1"})
            await cache.set_many({b"a": b"2"})
            found = await cache.get_many([b"a"])
            await self.end(cache)
            return found

        assert asyncio.run(twice()) == [b"2"]

    def test_large_batches_pass(self) -> None:
        values = {str(i).encode(): bytes(1540) for i in range(2000)}
        assert self.after(values, list(values)) == list(values.values())
