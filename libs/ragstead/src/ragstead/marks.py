"""The marks `[n]` by which an answer points at passages."""

from __future__ import annotations

import re

MARK = re.compile(r"\s?\[(\d{1,3})\](?!\w|\.[a-z_])")
"""Not the index of a list in a quoted document, `courses[0].title`, which names no passage."""


def without_marks(text: str) -> str:
    """Return the text without its marks, and without the white space before each."""
    return MARK.sub("", text)
