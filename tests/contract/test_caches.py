"""The cache suite over the cache in process and over a real Redis, and Redis's faults."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from programs import needed
from ragstead.adapters.cachetools_cache import MemoryCache
from ragstead.adapters.redis_cache import RedisCache
from ragstead.errors import ConfigurationError
from ragstead.ports.cache import Cache
from ragstead.testing.contracts import CacheContract
from redis_server import RedisServer

HOUR_S = 3600.0


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(needed("redis-server"), tmp_path)
    server.start()
    yield server
    server.stop()


class TestMemoryCache(CacheContract):
    def cache(self) -> Cache:
        return MemoryCache(8 << 20, ttl_s=HOUR_S)


class TestRedisCache(CacheContract):
    @pytest.fixture(autouse=True)
    def _start(self, redis: RedisServer) -> None:
        self._url = redis.url

    def cache(self) -> Cache:
        return RedisCache(self._url, ttl_s=HOUR_S, timeout_s=5)

    async def end(self, cache: Cache) -> None:
        assert isinstance(cache, RedisCache)
        await cache.close()


def test_memory_holds_no_more_than_it_may_and_forgets_the_oldest() -> None:
    async def check() -> None:
        cache = MemoryCache(10_000, ttl_s=HOUR_S)
        for i in range(100):
            await cache.set_many({bytes([i]): bytes(750)})
            await cache.get_many([b"\0"])
        found = await cache.get_many([bytes([i]) for i in range(100)])
        assert [i for i, value in enumerate(found) if value is not None] == [0, *range(91, 100)]
        await cache.set_many({b"large": bytes(10_000)})
        assert await cache.get_many([b"large"]) == [None]

    asyncio.run(check())


def test_entries_end_with_their_time(redis: RedisServer) -> None:
    async def check() -> None:
        shared = RedisCache(redis.url, ttl_s=0.05, timeout_s=5)
        for cache in (MemoryCache(10_000, ttl_s=0.05), shared):
            await cache.set_many({b"a": b"1"})
            await asyncio.sleep(0.1)
            assert await cache.get_many([b"a"]) == [None]
        await shared.close()

    asyncio.run(check())


def test_redis_that_is_gone_is_a_miss_and_is_asked_again_later(redis: RedisServer) -> None:
    async def check() -> None:
        failures: list[None] = []
        cache = RedisCache(redis.url, ttl_s=HOUR_S, rest_s=0.2, on_failure=lambda: failures.append(None))
        await cache.set_many({b"a": b"1"})
        redis.stop()
        assert await cache.get_many([b"a", b"b"]) == [None, None]
        assert len(failures) == 1
        await cache.set_many({b"a": b"1"})
        assert len(failures) == 1  # not even tried
        redis.start()
        await asyncio.sleep(0.3)
        await cache.set_many({b"a": b"2"})
        assert await cache.get_many([b"a"]) == [b"2"]
        await cache.close()

    asyncio.run(check())


def test_redis_that_hangs_costs_its_timeout_once(redis: RedisServer) -> None:
    async def check() -> None:
        cache = RedisCache(redis.url, ttl_s=HOUR_S, timeout_s=0.1, rest_s=30)
        await cache.set_many({b"a": b"1"})
        redis.send(signal.SIGSTOP)
        try:
            began = time.monotonic()
            for _ in range(50):
                assert await cache.get_many([b"a"]) == [None]
            assert time.monotonic() - began < 1
        finally:
            redis.send(signal.SIGCONT)
        await cache.close()

    asyncio.run(check())


def test_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no Redis URL"):
        RedisCache("localhost:6379", ttl_s=1)
