"""A cache that several processes share, in Redis."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from redis.asyncio import Redis
from redis.exceptions import RedisError

from ragstead.errors import ConfigurationError

_log = logging.getLogger(__name__)

_VALUES_A_TRIP = 256


class RedisCache:
    """Is a `Cache` in Redis. While Redis can't be reached it is left alone, and every look-up is a miss at once.

    Args:
        url: `redis://HOST:PORT/DB`, or `rediss://` for TLS.
        ttl_s: Seconds after which an entry is gone.
        timeout_s: Limit of each call. Higher: more hits when Redis is slow, and slower requests.
        rest_s: Seconds that Redis is left alone after a failure.
        prefix: Before each key.
        on_failure: Hears of each call that failed; those that were not even tried are none.

    Raises:
        ConfigurationError: If the URL is none.
    """

    def __init__(
        self,
        url: str,
        *,
        ttl_s: float,
        timeout_s: float = 0.25,
        rest_s: float = 2.0,
        prefix: bytes = b"ragstead:",
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        try:
            self._redis = Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
        except ValueError as error:
            raise ConfigurationError(f"the cache's address is no Redis URL: {error}", param="redis_url") from error
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._rest_s = rest_s
        self._prefix = prefix
        self._rests_until = 0.0
        self._on_failure = on_failure

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return the value of each key in one round trip, None where there is none."""
        if keys and time.monotonic() >= self._rests_until:
            try:
                found = await self._redis.mget([self._prefix + key for key in keys])
            except (RedisError, OSError, TimeoutError) as error:
                self._failed(error)
            else:
                return [value if isinstance(value, bytes) else None for value in found]
        return [None] * len(keys)

    async def set_many(self, values: Mapping[bytes, bytes]) -> None:
        """Keep the values, some hundreds in each round trip."""
        if not values or time.monotonic() < self._rests_until:
            return
        try:
            items = list(values.items())
            for start in range(0, len(items), _VALUES_A_TRIP):
                async with self._redis.pipeline(transaction=False) as pipeline:
                    for key, value in items[start : start + _VALUES_A_TRIP]:
                        pipeline.set(self._prefix + key, value, px=self._ttl_ms)
                    await pipeline.execute()
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _failed(self, error: Exception) -> None:
        self._on_failure()
        self._rests_until = time.monotonic() + self._rest_s
        _log.warning("the cache in Redis failed, and is left alone for %.0f s: %s", self._rest_s, error)
