"""Which turns of a long conversation a model still reads."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.ports.generator import Message
from ragstead.token_estimates import TOKENS_A_TURN, estimated_tokens


def latest_that_fit(turns: Sequence[Message], max_tokens: int) -> int:
    """Return how many of the last turns have room together; they begin with a user's.

    Args:
        turns: Oldest first.
        max_tokens: For all of them.
    """
    fit = total = 0
    for n, turn in enumerate(reversed(turns), 1):
        total += estimated_tokens(turn.content) + TOKENS_A_TURN
        if total > max_tokens:
            break
        if turn.role == "user":
            fit = n
    return fit
