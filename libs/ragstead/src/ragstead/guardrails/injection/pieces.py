"""A text cut into the pieces that are judged, and what is odd about its characters."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeVar

T = TypeVar("T")

_BREAK = re.compile(r"(?<=[.!?。！？])[\"”')\]]*\s+|(?<=[a-z][.!?])(?=[A-Z][a-z])|\n+|\|")
_WORD = re.compile(r"\S+")
_WINDOW_WORDS = 40
_MOST_PIECES = 400
_HIDDEN = re.compile(r"[\u200b-\u200f\u202a-\u202e\u2060-\u2064\u00ad\ufeff\U000e0000-\U000e007f]")
_ENCODED = re.compile(r"(?<![A-Za-z0-9+/])(?:[A-Za-z0-9+/]{40,}={0,2}|(?:[01]{8}\s?){6,}|(?:[0-9a-fA-F]{2}\s?){24,})")
_SPACED = re.compile(r"(?:\b\w [ ]?){8,}")


def pieces_of(text: str) -> list[str]:
    """Return the words of the pieces that `piece_spans` finds."""
    found: list[str] = []
    for start, end in _stretches(text):
        found += map(" ".join, _windows(text[start:end].split()))
    return _ends(found)


def piece_spans(text: str) -> list[tuple[int, int]]:
    """Return where the sentences, lines and table cells of a text are, in order, long ones in windows of 40 words.

    A text of more than 400 pieces gives the first 200 and the last 200.
    """
    found: list[tuple[int, int]] = []
    for start, end in _stretches(text):
        windows = _windows(list(_WORD.finditer(text, start, end)))
        found += [(window[0].start(), window[-1].end()) for window in windows]
    return _ends(found)


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Give the spans between breaks, blank ones too."""
    at = 0
    for stop in _BREAK.finditer(text):
        yield at, stop.start()
        at = stop.end()
    yield at, len(text)


def _windows(words: list[T]) -> Iterator[list[T]]:
    return (words[i : i + _WINDOW_WORDS] for i in range(0, len(words), _WINDOW_WORDS))


def _ends(found: list[T]) -> list[T]:
    half = _MOST_PIECES // 2
    return found if len(found) <= _MOST_PIECES else found[:half] + found[-half:]


def oddness(text: str) -> tuple[float, float, float]:
    """Return how much of a text is hidden characters, encoded runs, letters spaced apart: each in [0, 1]."""
    hidden = len(_HIDDEN.findall(text)) if not text.isascii() else 0
    encoded = sum(len(match[0]) for match in _ENCODED.finditer(text))
    spaced = sum(len(match[0]) for match in _SPACED.finditer(text))
    size = max(1, len(text))
    return min(1.0, 20 * hidden / size), min(1.0, 4 * encoded / size), min(1.0, 2 * spaced / size)
