"""The work pool on threads of this process."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from ragstead.errors import Overloaded

T = TypeVar("T")
_log = logging.getLogger(__name__)

_BACKGROUND_NICENESS = 10
"""A tenth of the weight of others; at 19 questions gain no more, and who holds the interpreter is kept longer."""

_MOST_MOVED = 8
"""Threads that step aside; it takes some 10 us each, so that those of larger machines stay where they are."""


class ThreadWorkPool:
    """Runs work in `threads` threads, in the order it comes, with at most `max_waiting` pieces of it waiting.

    May be used from several event loops. Threads in the background can step aside: a `Courtesy`.
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
        self._background: list[int] = []
        self._left: int | None = None
        self._executor = ThreadPoolExecutor(
            threads,
            thread_name_prefix="ragstead-work",
            initializer=partial(_give_way, self._background) if in_the_background else None,
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

    def step_aside(self) -> None:
        """Have the background threads leave this thread's core until `come_back`.

        Niceness alone does not keep it: Linux (EEVDF) gives a core to a nice thread for a whole tick, 4 ms at 250 Hz,
        once another one has used its slice. Where the platform does not let threads be moved this is a no-op.
        """
        cores = _cores()
        core = _core_of_this_thread()
        if self._left is None and core in cores and len(cores) > 1 and 0 < len(self._background) <= _MOST_MOVED:
            self._left = core
            for thread in self._background:
                self._move(thread, cores - {core})

    def come_back(self) -> None:
        """Let the background threads run everywhere again, one of them at once where they left."""
        if self._left is None:
            return
        core, self._left = self._left, None
        self._background.append(self._background.pop(0))  # each in its turn
        self._move(self._background[-1], {core})
        for thread in self._background:
            self._move(thread, _cores())

    def _move(self, thread: int, cores: set[int]) -> None:
        try:
            os.sched_setaffinity(thread, cores)
        except ProcessLookupError:
            pass  # its pool is being closed
        except OSError as error:
            self._background, self._left = [], None
            _log.warning("background threads stay where they are, as they can't be moved: %s", error)

    def close(self) -> None:
        """Let what runs end, and cancel what waits; returns when the threads are gone."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _forget(self) -> None:
        with self._counting:
            self._pending -= 1


def _give_way(background: list[int]) -> None:
    """Lower the priority of this thread, and add it to `background`; on Linux each has its own."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _BACKGROUND_NICENESS)
        background.append(threading.get_native_id())


def _cores() -> set[int]:
    """Those that this thread may run on; none where the platform doesn't tell."""
    return os.sched_getaffinity(0) if sys.platform == "linux" else set()


def _core_of_this_thread() -> int:
    """Its number; -1 where the C library doesn't tell."""
    return int(_sched_getcpu()) if _sched_getcpu is not None else -1


_sched_getcpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if sys.platform == "linux" else None
