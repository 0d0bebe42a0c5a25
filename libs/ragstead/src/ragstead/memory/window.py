"""Which turns of a long conversation a model still reads."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.ports.generator import Message

_BYTES_A_TOKEN = 3
_A_TURN = 8
"""Tokens that a model's own template adds to a message, at most."""


def estimated_tokens(text: str) -> int:
    """Return rather too many than too few tokens of a text, whatever the model: one for three bytes."""
    return len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN + 1


def latest_that_fit(turns: Sequence[Message], max_tokens: int) -> int:
    """Return how many of the last turns have room together; they begin with a user's.

    Args:
        turns: Oldest first.
        max_tokens: For all of them.
    """
    fit = total = 0
    for n, turn in enumerate(reversed(turns), 1):
        total += estimated_tokens(turn.content) + _A_TURN
        if total > max_tokens:
            break
        if turn.role == "user":
            fit = n
    return fit
