"""tmp."""

from __future__ import annotations
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class InlinePool:
    """Run."""

    async def run(self, work: Callable[[], T]) -> T:
        """Run."""
        return work()
