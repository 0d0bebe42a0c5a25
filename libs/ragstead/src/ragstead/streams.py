"""Asynchronous iterators that can be closed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from typing import TypeVar

T = TypeVar("T")


async def closing(items: AsyncIterator[T]) -> AsyncGenerator[T, None]:
    """Yield the items; closed, it closes what they come from, where that can be closed."""
    try:
        async for item in items:
            yield item
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            await close()
