"""Text that came in with lone surrogates, which no UTF-8 can hold."""

from __future__ import annotations


def without_surrogates(text: str) -> str:
    """Return the text with `?` for each lone surrogate."""
    return text.encode("utf-8", "replace").decode("utf-8")
