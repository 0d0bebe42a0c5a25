"""Traces of answers, in memory."""

from __future__ import annotations

from ragstead.errors import NotFound
from ragstead.ports.answer_traces import TracedAnswer


class MemoryAnswerTraces:
    """Is an `AnswerTraces` of what it was made with."""

    def __init__(self, *traced: TracedAnswer) -> None:
        self._kept = {one.trace_id: one for one in traced}

    async def find(self, trace_id: str) -> TracedAnswer:
        """Return the answer of a trace, or raise `NotFound`."""
        if trace_id not in self._kept:
            raise NotFound("trace", trace_id)
        return self._kept[trace_id]
