"""Blocking work in a bounded number of threads, with a bounded number of pieces waiting."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ragstead.errors import Overloaded

T = TypeVar("T")


class ThreadWorkPool:
    """Is the `WorkPool` port over threads of this process; used from one event loop or several.

    Args:
        threads: How many pieces of work run at the same time.
        queue: How many more may wait.
        name: Prefix of the threads' names.
    """

    def __init__(self, *, threads: int, queue: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._places = threading.BoundedSemaphore(threads + queue)
        self._capacity = threads + queue
        self._name = name

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns.

        Raises:
            Overloaded: If all threads are busy and the queue is full.
        """
        if not self._places.acquire(blocking=False):
            raise Overloaded(f"the {self._name} pool is full: {self._capacity} pieces of work run or wait")
        future = self._executor.submit(work)
        future.add_done_callback(lambda _: self._places.release())  # also where it was cancelled while it waited
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Wait for the work that runs and drop what waits."""
        self._executor.shutdown(wait=True, cancel_futures=True)
