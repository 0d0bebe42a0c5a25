"""Several requests at a time, results in the order of their items."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

IN_FLIGHT = 8
"""Requests that a batch keeps going: enough to fill the platform's threads, far below its queue."""


async def in_flight(
    items: Iterable[Item], work: Callable[[Item], Coroutine[Any, Any, Result]], *, limit: int = IN_FLIGHT
) -> AsyncIterator[Result]:
    """Yield `work(item)` in the order of the items, with at most `limit` begun and not yet yielded.

    The first error ends it; what is still going is cancelled.
    """
    waiting: deque[asyncio.Task[Result]] = deque()
    try:
        for item in items:
            waiting.append(asyncio.create_task(work(item)))
            if len(waiting) >= limit:
                yield await waiting.popleft()
        while waiting:
            yield await waiting.popleft()
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
