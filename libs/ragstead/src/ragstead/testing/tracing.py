"""A tracer, and a backend, that keep what they are given where tests can look."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ragstead.errors import Unavailable
from ragstead.ports.trace_backend import WrittenScore, WrittenTrace
from ragstead.ports.tracer import BackendState, Score, Span, Trace


class RecordingTracer:
    """Is a `Tracer` that keeps everything in memory.

    Attributes:
        traces: As they ended.
        scores: As they came.

    Args:
        wanted: Which traces are recorded; None for all.
    """

    def __init__(self, wanted: Callable[[str], bool] | None = None) -> None:
        self.traces: list[Trace] = []
        self.scores: list[Score] = []
        self._wanted = wanted or (lambda _: True)

    def samples(self, trace_id: str) -> bool:
        """Return whether it is wanted."""
        return self._wanted(trace_id)

    def record(self, trace: Trace) -> None:
        """Keep it."""
        self.traces.append(trace)

    def score(self, score: Score) -> bool:
        """Keep it."""
        self.scores.append(score)
        return True

    def states(self) -> Mapping[str, BackendState]:
        """Return one backend, `memory`."""
        return {"memory": BackendState(sum(len(one.spans) for one in self.traces), scores=len(self.scores))}

    def tree(self, index: int = -1) -> dict[str, str]:
        """Return the names of a trace's spans, each with its parent's; the root's parent is empty."""
        spans = self.traces[index].spans
        names = {one.span_id: one.name for one in spans}
        return {one.name: names.get(one.parent_id, "") for one in spans}

    def span(self, name: str, index: int = -1) -> Span:
        """Return the first span of this name."""
        return next(one for one in self.traces[index].spans if one.name == name)


class MemoryBackend:
    """Is a `TraceBackend` in memory, which takes nothing while it is `down`.

    Attributes:
        traces: Taken.
        scores: Taken.
        down: Whether each call fails.
        closed: Whether it was closed.
    """

    def __init__(self) -> None:
        self.traces: list[WrittenTrace] = []
        self.scores: list[WrittenScore] = []
        self.down = False
        self.closed = False

    @property
    def name(self) -> str:
        """`memory`."""
        return "memory"

    def keep(self, traces: Sequence[WrittenTrace]) -> None:
        """Keep them, or raise `Unavailable`."""
        self._check()
        self.traces.extend(traces)

    def judge(self, scores: Sequence[WrittenScore]) -> int:
        """Keep them, or raise `Unavailable`."""
        self._check()
        self.scores.extend(scores)
        return len(scores)

    def close(self) -> None:
        """Note it."""
        self.closed = True

    def _check(self) -> None:
        if self.down:
            raise Unavailable(self.name, "memory is down")
