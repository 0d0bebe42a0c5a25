"""Cuts a sentence that is too long to quote at its clause boundaries. Linear; used by `sentences.segment`."""

from __future__ import annotations

import re
from collections.abc import Iterator

MAX_WORDS = 60
_MAX_CHARS_PER_WORD = 8  # a cap in characters for scripts and strings without spaces
_WORD = re.compile(r"\S+")
_CELL = ("|",)
_STRONG = (";", ":", "\u2014", "\u2013", "--", "\uff1b", "\uff1a")
_WEAK = (",", "\uff0c", "\u3001", ")", "\uff09")


def cut_long(text: str, start: int, end: int, *, max_words: int = MAX_WORDS) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the pieces of one sentence, adjoining: the sentence itself if it is short enough.

    A piece ends after the strongest mark in the last two thirds of its window (the end of a table's cell over ``;``
    ``:`` and dashes over commas), at the last word when there is none. No piece has more than `max_words` words, and none is longer
    than 8 * `max_words` characters unless a single word is cut.

    Args:
        text: The whole text.
        start: Where the sentence begins.
        end: Where it ends.
        max_words: Cap on words; the cap on characters follows from it.
    """
    words = _pieces(text, start, end, max_words * _MAX_CHARS_PER_WORD)
    low, first = start, 0
    while True:
        last = _window(words, first, max_words)
        if last >= len(words):
            break
        cut = _best_cut(text, words, first, last)
        yield low, words[cut - 1][1]
        low, first = words[cut - 1][1], cut
    if low < end:
        yield low, end


def _pieces(text: str, start: int, end: int, max_chars: int) -> list[tuple[int, int]]:
    """Words as (start, end); a word longer than half the cap is cut, after a comma of its script if it has one."""
    pieces: list[tuple[int, int]] = []
    step = max_chars // 4
    for match in _WORD.finditer(text, start, end):
        low, high = match.span()
        while high - low > step:
            at = max(text.rfind(mark, low + step // 2, low + step) for mark in ("\uff0c", "\u3001", "\uff1b", ","))
            pieces.append((low, at + 1 if at > 0 else low + step))
            low = pieces[-1][1]
        pieces.append((low, high))
    return pieces


def _window(words: list[tuple[int, int]], first: int, max_words: int) -> int:
    """Index one past the last word that still fits a piece starting at `first`."""
    last = min(first + max_words, len(words))
    limit = max_words * _MAX_CHARS_PER_WORD
    while last > first + 1 and words[last - 1][1] - words[first][0] > limit:
        last -= 1
    return last


def _best_cut(text: str, words: list[tuple[int, int]], first: int, last: int) -> int:
    middle = first + max(1, (last - first) // 3)
    for marks in (_CELL, _STRONG, _WEAK):
        for at in range(last, middle, -1):
            if text[max(words[at - 1][0], words[at - 1][1] - 2) : words[at - 1][1]].endswith(marks):
                return at
    return last
