"""Traces on their way to one backend: a bounded queue, a thread that sends, and what became of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ragstead.errors import RagsteadError
from ragstead.ports.trace_backend import TraceBackend, WrittenScore, WrittenTrace
from ragstead.ports.tracer import BackendState

_PAUSES_S = (0.5, 2.0, 5.0)
"""Before a batch that was not taken is sent again; after the last it is given up."""
_LONGEST_REST_S = 10.0


@dataclass(frozen=True, slots=True)
class DeliveryLimits:
    """How much may wait, and for how long.

    Attributes:
        waiting: Spans and scores that may wait.
        batch: Traces that are sent together, at most.
        batch_chars: The same by their contents; one that is longer goes alone.
        interval_s: Seconds for which traces are collected.
        rest: Seconds of rest for each second of sending, for a backend whose work competes with ours.
    """

    waiting: int = 20_000
    batch: int = 20
    batch_chars: int = 1_000_000
    interval_s: float = 1.0
    rest: float = 0.0


class Delivery:
    """Sends what it is given, in order, from a thread of its own; what is too much is dropped and counted.

    Args:
        backend: Where to.
        limits: How much may wait.
        pauses_s: Before each new attempt.
    """

    def __init__(
        self,
        backend: TraceBackend,
        limits: DeliveryLimits,
        pauses_s: Sequence[float] = _PAUSES_S,
    ) -> None:
        self._backend = backend
        self._limits = limits
        self._pauses_s = pauses_s
        self._waiting: deque[WrittenTrace | WrittenScore] = deque()
        self._size = 0
        self._state = BackendState()
        self._lock = threading.Condition()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"traces to {backend.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """The backend's."""
        return self._backend.name

    @property
    def state(self) -> BackendState:
        """What became of all that was offered."""
        return self._state

    def offer(self, given: WrittenTrace | WrittenScore) -> None:
        """Take what is to be sent, or drop it where too much waits."""
        with self._lock:
            size = _size(given)
            if self._size + size <= self._limits.waiting:
                self._waiting.append(given)
                self._size += size
                self._lock.notify()
                return
        if isinstance(given, WrittenTrace):
            self._book(dropped=size)
        else:
            self._book(scores_failed=1)

    def close(self, within_s: float) -> None:
        """Send what waits, for so long at most; what is left is dropped."""
        self._ending.set()
        with self._lock:
            self._lock.notify()
        self._thread.join(within_s)
        with self._lock:
            left = sum(_size(one) for one in self._waiting if isinstance(one, WrittenTrace))
            self._waiting.clear()
        if left:
            self._book(dropped=left)

    def _run(self) -> None:
        while (taken := self._taken()) is not None:
            began = time.monotonic()
            traces = [one for one in taken if isinstance(one, WrittenTrace)]
            scores = [one for one in taken if isinstance(one, WrittenScore)]
            if traces:
                self._keep(traces)
            if scores:
                self._judge(scores)
            resting_s = min(self._limits.rest * (time.monotonic() - began), _LONGEST_REST_S)
            self._ending.wait(max(resting_s, self._pause_s()))
        self._backend.close()

    def _pause_s(self) -> float:
        """Return how long to collect; not at all where a whole batch waits."""
        return self._limits.interval_s if len(self._waiting) < self._limits.batch else 0.0

    def _taken(self) -> list[WrittenTrace | WrittenScore] | None:
        """Wait for something to send and return it; None at the end."""
        with self._lock:
            while not self._waiting:
                if self._ending.is_set():
                    return None
                self._lock.wait()
            taken = [self._pop()]
            chars = _chars(taken[0])
            while self._waiting and len(taken) < self._limits.batch:
                chars += _chars(self._waiting[0])
                if chars > self._limits.batch_chars:
                    break
                taken.append(self._pop())
            return taken

    def _pop(self) -> WrittenTrace | WrittenScore:
        one = self._waiting.popleft()
        self._size -= _size(one)
        return one

    def _keep(self, traces: Sequence[WrittenTrace]) -> None:
        spans = sum(map(_size, traces))
        trouble = self._attempted(lambda: self._backend.keep(traces))
        if trouble:
            self._book(failed=spans, trouble=trouble)
        else:
            self._book(spans=spans, trouble="")

    def _judge(self, scores: Sequence[WrittenScore]) -> None:
        taken = 0

        def send() -> None:
            nonlocal taken
            taken = self._backend.judge(scores)

        trouble = self._attempted(send)
        self._book(scores=taken, scores_failed=len(scores) - taken, trouble=trouble)

    def _attempted(self, send: Callable[[], None]) -> str:
        """Send, and again after a pause where it failed; return why it failed in the end, or nothing."""
        for pause_s in (*self._pauses_s, None):
            try:
                send()
            except RagsteadError as error:
                if pause_s is None or self._ending.is_set():
                    return str(error)
                self._book(trouble=str(error))
                self._ending.wait(pause_s)
            else:
                return ""
        raise AssertionError("the last attempt returns")

    def _book(
        self,
        *,
        spans: int = 0,
        failed: int = 0,
        dropped: int = 0,
        scores: int = 0,
        scores_failed: int = 0,
        trouble: str | None = None,
    ) -> None:
        """Add to the counts; where a call was made, `trouble` says why it failed, and is empty where it worked."""
        with self._lock:
            old = self._state
            self._state = replace(
                old,
                spans=old.spans + spans,
                failed=old.failed + failed,
                dropped=old.dropped + dropped,
                scores=old.scores + scores,
                scores_failed=old.scores_failed + scores_failed,
                trouble=old.trouble if trouble is None else trouble,
            )


def _size(given: WrittenTrace | WrittenScore) -> int:
    return len(given.spans) if isinstance(given, WrittenTrace) else 1


def _chars(given: WrittenTrace | WrittenScore) -> int:
    if isinstance(given, WrittenScore):
        return len(given.comment)
    return sum(len(one.input) + len(one.output) for one in given.spans)
