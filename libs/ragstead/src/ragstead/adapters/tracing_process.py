"""Hands traces to a process of their own, so that no answer pays for them.

What sends them there holds Langfuse's SDK and OpenTelemetry's, with their threads, their exit handlers and seconds of
importing; it runs at a low priority, on another core where there is one, and is killed where it does not end in time.
"""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import IO

import orjson

from ragstead.ports.tracer import BackendState, Score, Trace
from ragstead.tracing import Writer

CHILD_MODULE = "ragstead.bootstrap.trace_child"
_log = logging.getLogger(__name__)
_RESTART_S = 5.0
_AT_ONCE = 64
"""Traces from which nobody waits for more."""
_AT_A_STRETCH_S = 0.001
"""For which answers wait while traces are written."""
_SAMPLED_OF = 1 << 32


@dataclass(frozen=True, slots=True)
class TracingLimits:
    """How much is taken, and how long its end may last.

    Attributes:
        waiting: Spans and scores that may wait in this process.
        sample_rate: Of the traces, in [0, 1].
        interval_s: Seconds for which traces are collected.
        shutdown_s: Seconds for sending what waits at the end.
    """

    waiting: int = 20_000
    sample_rate: float = 1.0
    interval_s: float = 0.5
    shutdown_s: float = 3.0


class ProcessTracer:
    """Is a `Tracer` over a child process, started when there is something to send.

    Taking a trace appends it to a queue; a thread writes it down, redacted, and hands it on. A child that dies is
    started again after a while; what it had is lost, and counted as dropped where it is known.

    Args:
        backends: By name, what the child is told of each.
        environment: The child's environment variables.
        writer: Writes traces down.
        limits: How much is taken.
        command: Starts the child.
    """

    def __init__(
        self,
        backends: Mapping[str, object],
        environment: Mapping[str, str],
        writer: Writer,
        limits: TracingLimits,
        command: Sequence[str] = (sys.executable, "-P", "-m", CHILD_MODULE),
    ) -> None:
        self._backends = backends
        self._environment = dict(environment)
        self._writer = writer
        self._limits = limits
        self._command = tuple(command)
        self._waiting: deque[Trace | Score] = deque()
        self._size = 0
        self._dropped = [0, 0]
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ending = False
        self._thread: threading.Thread | None = None
        self._child: _Child | None = None
        self._states: dict[str, BackendState] = {name: BackendState() for name in backends}

    def samples(self, trace_id: str) -> bool:
        """Return whether the trace of this id is wanted; all with the same first digits are, or none."""
        rate = self._limits.sample_rate
        return rate >= 1 or int(trace_id[:8], 16) < rate * _SAMPLED_OF

    def record(self, trace: Trace) -> None:
        """Take a trace that has ended, or drop and count it."""
        self._take(trace)

    def score(self, score: Score) -> bool:
        """Take a judgement of a trace; False where it is dropped."""
        return self._take(score)

    def states(self) -> Mapping[str, BackendState]:
        """Return what became of all of them, by backend."""
        with self._lock:
            dropped, lost = self._dropped
            return {
                name: replace(one, dropped=one.dropped + dropped, scores_failed=one.scores_failed + lost)
                for name, one in self._states.items()
            }

    def close(self) -> None:
        """Send what waits, for as long as the limits say and no longer. Blocks; nothing may be handed in any more."""
        self._ending = True
        self._wake.set()
        if self._thread is None:
            return
        self._thread.join(self._limits.shutdown_s)
        child = self._child
        if child is not None and self._thread.is_alive():
            child.kill()
            self._thread.join(1.0)

    def _take(self, given: Trace | Score) -> bool:
        size = _size(given)
        with self._lock:
            if self._ending or self._size + size > self._limits.waiting:
                self._dropped[isinstance(given, Score)] += size
                return False
            self._waiting.append(given)
            self._size += size
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
            self._thread.start()
        elif len(self._waiting) == _AT_ONCE:
            self._wake.set()
        return True

    def _run(self) -> None:
        while True:
            self._wake.wait(self._limits.interval_s)
            self._wake.clear()
            while self._waiting:
                self._hand_on()
            if self._ending and not self._waiting:
                break
        if self._child is not None:
            self._child.finish(self._limits.shutdown_s)

    def _hand_on(self) -> None:
        """Write some down and give them to the child; they are dropped where there is none."""
        with self._lock:
            given = [self._waiting.popleft() for _ in range(min(len(self._waiting), _AT_ONCE))]
            sizes = [(isinstance(one, Score), _size(one)) for one in given]
            self._size -= sum(size for _, size in sizes)
        child = self._running()
        lines, since = [], time.perf_counter()
        for one in given if child is not None else ():
            lines.append(self._line(one))
            if time.perf_counter() - since > _AT_A_STRETCH_S:
                time.sleep(0)  # whoever answers goes first; after each trace it would cost a kept answer a third more
                since = time.perf_counter()
        if child is None or not child.send(b"\n".join(lines)):
            with self._lock:
                for is_score, size in sizes:
                    self._dropped[is_score] += size

    def _line(self, given: Trace | Score) -> bytes:
        if isinstance(given, Trace):
            return orjson.dumps({"trace": self._writer.trace(given)})
        return orjson.dumps({"score": self._writer.score(given)})

    def _running(self) -> _Child | None:
        child = self._child
        if child is None or (child.is_dead and not self._ending and time.monotonic() - child.began > _RESTART_S):
            try:
                child = self._child = _Child(self._command, self._environment, self._states, self._lock)
            except OSError as error:
                _log.warning("no process for traces can be started: %s", error)
                return None
            child.send(orjson.dumps({"backends": self._backends, "shutdown_s": self._limits.shutdown_s}))
        return None if child.is_dead else child


def _size(given: Trace | Score) -> int:
    return len(given.spans) if isinstance(given, Trace) else 1


class _Child:
    """The process, and what it tells."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        states: dict[str, BackendState],
        lock: threading.Lock,
    ) -> None:
        self.began = time.monotonic()
        self._states = states
        self._before = dict(states)
        self._lock = lock
        self._process = subprocess.Popen(  # noqa: S603  (our own module)
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._in: IO[bytes] = self._process.stdin
        self._listener = threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True)
        self._listener.start()

    @property
    def is_dead(self) -> bool:
        """Whether it has ended."""
        return self._process.poll() is not None

    def send(self, lines: bytes) -> bool:
        """Hand lines over, and wait while the child is busy; False where it is gone."""
        try:
            self._in.write(lines + b"\n")
            self._in.flush()
        except (OSError, ValueError):
            return False
        return True

    def finish(self, within_s: float) -> None:
        """Have it send what it has, and end it."""
        with contextlib.suppress(OSError):
            self._in.close()
        try:
            self._process.wait(within_s + 1.0)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process.wait()
        self._listener.join(1.0)

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def _listen(self, lines: IO[bytes]) -> None:
        with lines:
            for line in lines:
                told = orjson.loads(line)
                self._note(told["backend"], BackendState(**told["state"]))

    def _note(self, name: str, told: BackendState) -> None:
        with self._lock:
            before = self._before[name]
            self._states[name] = BackendState(
                before.spans + told.spans,
                before.failed + told.failed,
                before.dropped + told.dropped,
                before.scores + told.scores,
                before.scores_failed + told.scores_failed,
                told.trouble,
            )
