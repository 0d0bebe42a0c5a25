"""Traces of answers, in memory."""

from __future__ import annotations

from collections.abc import Collection

from ragstead.errors import NotFound
from ragstead.ports.answer_traces import NO_ANSWER, NO_TRACE, TracedAnswer


class MemoryAnswerTraces:
    """Is an `AnswerTraces` of what it was made with.

    Args:
        traced: What is kept.
        bare: Ids of traces whose contents were not captured.
    """

    def __init__(self, *traced: TracedAnswer, bare: Collection[str] = ()) -> None:
        self._kept = {one.trace_id: one for one in traced}
        self._bare = frozenset(bare)

    async def find(self, trace_id: str) -> TracedAnswer:
        """Return the answer of a trace, or raise `NotFound`."""
        if trace_id in self._bare:
            raise NotFound(NO_ANSWER, trace_id, "contents were not captured")
        if trace_id not in self._kept:
            raise NotFound(NO_TRACE, trace_id)
        return self._kept[trace_id]
