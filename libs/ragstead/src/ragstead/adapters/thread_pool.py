"""The work pool on threads of this process."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from ragstead.errors import Overloaded

T = TypeVar("T")

_BACKGROUND_NICENESS = 10
"""A tenth of the weight of others; at 19 questions gain no more, and who holds the interpreter is kept longer."""


class ThreadWorkPool:
    """Runs work in `threads` threads, in the order it comes, with at most `max_waiting` pieces of it waiting.

    May be used from several event loops.
    """

    def __init__(
        self, threads: int, *, max_waiting: int = 256, retry_after_s: float = 1.0, in_the_background: bool = False
    ) -> None:
        """Make the pool; its threads start when they are needed.

        Args:
            threads: Work that runs at once; more than there are cores helps only work that waits.
            max_waiting: Work that may wait for a thread. Higher means longer waits before `Overloaded`.
            retry_after_s: What `Overloaded` tells its caller.
            in_the_background: Whether the threads give way to all others that want a core, those of other processes
                among them. Linux alone can do that to a thread; elsewhere it makes no difference.
        """
        self._executor = ThreadPoolExecutor(
            threads, thread_name_prefix="ragstead-work", initializer=_give_way if in_the_background else None
        )
        self._capacity = threads + max_waiting
        self._max_waiting = max_waiting
        self._retry_after_s = retry_after_s
        self._pending = 0
        self._counting = threading.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises.

        Raises:
            Overloaded: If `max_waiting` pieces of work wait already.
            RuntimeError: If the pool is closed.
        """
        with self._counting:
            if self._pending >= self._capacity:
                raise Overloaded(
                    f"{self._max_waiting} requests wait already; try again in {self._retry_after_s:g} s",
                    retry_after_s=self._retry_after_s,
                )
            self._pending += 1
        try:
            future = self._executor.submit(work)
        except RuntimeError:
            self._forget()
            raise
        future.add_done_callback(lambda _: self._forget())
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let what runs end, and cancel what waits; returns when the threads are gone."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _forget(self) -> None:
        with self._counting:
            self._pending -= 1


def _give_way() -> None:
    """Lower the priority of this thread; on Linux each has its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND_NICENESS)
