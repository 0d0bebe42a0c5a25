"""What traces go to where nothing keeps them."""

from __future__ import annotations

from collections.abc import Mapping

from ragstead.ports.tracer import BackendState, Score, Trace


class NoTracer:
    """Is a `Tracer` that wants nothing."""

    def samples(self, trace_id: str) -> bool:  # noqa: ARG002  (the port's)
        """Return False."""
        return False

    def record(self, trace: Trace) -> None:
        """Forget it."""

    def score(self, score: Score) -> bool:  # noqa: ARG002  (the port's)
        """Return False."""
        return False

    def states(self) -> Mapping[str, BackendState]:
        """Return nothing."""
        return {}
