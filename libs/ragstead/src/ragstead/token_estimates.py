"""How many tokens a text has where its model was not asked: rather too many than too few."""

from __future__ import annotations

_BYTES_A_TOKEN = 3

TOKENS_A_TURN = 8
"""What the template of a usual chat model adds to a message."""
TOKENS_A_TURN_AT_MOST = 16
"""What any template does: for prompts that must not be too long."""


def estimated_tokens(text: str) -> int:
    """Return one token for three bytes of UTF-8, and one more."""
    return len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN + 1
