"""Personal data in a text that comes in pieces: what may become some is held back until it is known.

Held back are the last word, as it may yet become an address, and before it the numbers that may yet become a longer
one; behind seven digits or more a few characters too, as a word that follows a number may say what it is.
Of a word without end the beginning is let go after 320 characters, and of a row of numbers after 96.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from ragstead.guardrails.pii.spans import PiiSpan

_WORD = r"[^\s\u0e00-\u200f\u2014-\U0010ffff]"
"""Of what is written without spaces between words each character stands alone."""
_LAST_WORD = re.compile(rf"{_WORD}{{1,320}}\Z")
_NUMBERS = re.compile(r"(?:(?:[A-Z]{1,6}|[^\s\w]{1,3}|[^\s]{0,3}[0-9][^\s]{0,40})[ \u00a0\u2009\u202f]{1,2})+\Z")
_JOINS = re.compile(r"(?:ext?|x)?\.?(?:[^a-z]|\Z)")
"""How what goes on with a number begins: with anything but a word in small letters, an extension's aside."""
_LONGEST_NUMBERS = 96
_LONG_NUMBER = re.compile(r"(?:[0-9][^\s0-9A-Za-z]{0,3}[ \u00a0\u2009\u202f]?){7}[^\n]{0,15}\Z")
_LONGEST_TOLD = 80
_REMEMBERED = 64
"""Characters of what went before that the finders look back at."""


def undecided_from(text: str) -> int:
    """Return the offset from which on a text may turn out to be personal data once it goes on."""
    word = _LAST_WORD.search(text)
    start = word.start() if word else len(text)
    begin = max(0, start - _LONGEST_NUMBERS)
    numbers = _NUMBERS.search(text[begin:start]) if _JOINS.match(text, start) else None
    if numbers and any(map(str.isdecimal, numbers[0])):
        start = begin + numbers.start()
    told_from = max(0, len(text) - _LONGEST_TOLD)
    told = _LONG_NUMBER.search(text, told_from)
    return min(start, told.start()) if told else start


class PiiWindow:
    """Pieces of a text on their way through, each given back without the personal data that began or lies in it.

    Args:
        find: Returns the personal data of a text that is to be taken out, in order and not overlapping.
        before: What went before, for the finders to look back at.
    """

    def __init__(self, find: Callable[[str], Sequence[PiiSpan]], before: str = "") -> None:
        self._find = find
        self._before = before[-_REMEMBERED:]
        self._held: list[str] = []

    @property
    def before(self) -> str:
        """The last words that were let go, as they came."""
        return self._before

    @property
    def held(self) -> str:
        """What is held back."""
        return "".join(self._held)

    def feed(self, piece: str) -> list[str]:
        """Take the next piece and return those that are decided, the oldest first."""
        self._held.append(piece)
        text = self._before + self.held
        return self._let_go(text, undecided_from(text))

    def flush(self) -> list[str]:
        """Return all that is held back: nothing follows."""
        text = self._before + self.held
        return self._let_go(text, len(text))

    def _let_go(self, text: str, decided: int) -> list[str]:
        spans = self._find(text)
        ends = self._ends()
        count = sum(end <= decided for end in ends)
        for span in reversed(spans):  # none is cut in two
            while count and span.start < ends[count - 1] < span.end:
                count -= 1
        out, start = [], len(self._before)
        for end in ends[:count]:
            out.append(_without(text, (start, end), spans, first=start == len(self._before)))
            start = end
        self._before, self._held = text[:start][-_REMEMBERED:], self._held[count:]
        return out

    def _ends(self) -> list[int]:
        ends, end = [], len(self._before)
        for piece in self._held:
            end += len(piece)
            ends.append(end)
        return ends


def _without(text: str, piece: tuple[int, int], spans: Sequence[PiiSpan], *, first: bool) -> str:
    """Return a piece of the text without the spans; each one's mark stands where it begins, or is first seen."""
    at, end = piece
    parts = []
    for span in spans:
        if span.end <= at or span.start >= end:
            continue
        parts.append(text[at : max(at, span.start)])
        if span.start >= piece[0] or first:
            parts.append(span.placeholder)
        at = min(span.end, end)
    return "".join((*parts, text[at:end]))
