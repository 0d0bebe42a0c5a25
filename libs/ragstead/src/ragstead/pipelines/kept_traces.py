"""Answers read back where several backends keep traces."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.errors import NotFound, Overloaded, RagsteadError, Unavailable
from ragstead.ports.answer_traces import NO_TRACE, AnswerTraces, TracedAnswer


class FirstThatKnows:
    """Is `AnswerTraces` over several, asked in turn; one that is down, or lacks the answer, is passed over.

    Args:
        stores: In the order in which they are asked; at least one.
    """

    def __init__(self, stores: Sequence[AnswerTraces]) -> None:
        self._stores = tuple(stores)

    async def find(self, trace_id: str) -> TracedAnswer:
        """Return the answer of a trace from the first store that has it.

        Raises:
            NotFound: If a store has the trace and can't tell its answer, or no store has it.
            Overloaded, Unavailable: If no store has the trace, and one could not say.
        """
        troubles: list[RagsteadError] = []
        for store in self._stores:
            try:
                return await store.find(trace_id)
            except (NotFound, Overloaded, Unavailable) as trouble:
                troubles.append(trouble)
        raise min(troubles, key=_vagueness)


def _vagueness(trouble: RagsteadError) -> int:
    """Order what stores said: what is wrong with the trace, then who can't say, then that it is not there."""
    if not isinstance(trouble, NotFound):
        return 1
    return 2 if trouble.kind == NO_TRACE else 0
