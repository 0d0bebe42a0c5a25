"""Who is in a hurry goes first, on threads of this process: long work lets them by between its steps."""

from __future__ import annotations

import ctypes
import math
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ragstead.ports.work_pool import RightOfWay

_LONGEST_S = 0.02
_LATELY_S = 5.0


class ThreadRightOfWay(RightOfWay):
    """Holds long work of other threads while somebody is in a hurry; it still gets half of the time.

    Niceness alone does not do that: Linux (EEVDF) gives a core to a nice thread for a whole tick, 4 ms at 250 Hz, each
    time that a hurried one has used its share of the moment, or is woken again. A thread that offers its core between
    its steps has it for one step, and one that waits has none.

    Args:
        longest_s: Work is held at most so long at once, and then not again for as long as it was held. Higher: slower
            hurried work is kept clear of the rest, and one that never ends holds it for longer.
        clock: Seconds of a clock that never goes back.
        lately_s: For so long after somebody was in a hurry the steps of long work stay short, and its core is offered
            between them. Higher: who comes now and then finds short steps, and work nobody waits beside takes longer.
    """

    def __init__(
        self,
        longest_s: float = _LONGEST_S,
        clock: Callable[[], float] = time.monotonic,
        *,
        lately_s: float = _LATELY_S,
    ) -> None:
        self._longest_s = longest_s
        self._lately_s = lately_s
        self._clock = clock
        self._lock = threading.Lock()
        self._hurried = 0
        self._quiet_from = -math.inf
        self._held_since: float | None = None
        self._not_before = 0.0
        self._free = threading.Event()

    @property
    def is_held(self) -> bool:
        """Whether long work is held now."""
        return self._held_since is not None

    @contextmanager
    def hurry(self) -> Iterator[None]:
        """Hold long work while the block runs, but for the share of the time that is its own."""
        with self._lock:
            self._hurried += 1
            now = self._clock()
            if self._held_since is None and now >= self._not_before:
                self._free.clear()
                self._held_since = now
        try:
            yield
        finally:
            with self._lock:
                self._hurried -= 1
                self._quiet_from = self._clock() + self._lately_s
                if not self._hurried:
                    self._let_go(self._held_since)

    def let_by(self) -> bool:
        """Wait while work is held; else offer the core to who wants it, where somebody did lately."""
        since = self._held_since
        if since is None:
            if not self._hurried and self._clock() >= self._quiet_from:
                return False
            _offer_core()
        elif not self._free.wait(max(0.0, since + self._longest_s - self._clock())):
            with self._lock:
                self._let_go(since)
        return True

    def _let_go(self, since: float | None) -> None:
        """End the hold that began at `since`, if it has not ended yet."""
        if since is None or since != self._held_since:
            return
        now = self._clock()
        self._not_before = now + min(now - since, self._longest_s)
        self._held_since = None
        self._free.set()


def _nothing() -> None:
    pass


def _core_offer() -> Callable[[], object]:
    """The C library's `sched_yield`: that of `os` keeps the interpreter's lock meanwhile up to Python 3.11."""
    return ctypes.CDLL(None).sched_yield if sys.platform != "win32" else _nothing


_offer_core = _core_offer()
