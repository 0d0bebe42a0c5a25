"""Cuts a compound question into the questions that it asks, by rules; of English alone.

What it does not know: anything but question marks, and `and` before a word that begins a question. A question in
another language, or one whose parts share a verb, stays whole; the whole is always searched for too.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragstead.analysis import STOPWORDS

_STARTS = (
    "what who whom whose when where which why how is are was were do does did can could may must should will would has "
    "have"
).split()
_LINKS = {"and", "but", "so", "then", "also"}
"""What a follow-up may begin with."""
_OR = "|".join(_STARTS)
_AFTER_MARK = re.compile(r"(?<=\?)\s+(?=\S)")
_JOINT = re.compile(rf"(?:\s*[,;]\s+and\s+|\s+and\s+|\s*;\s+)(?:also\s+)?(?=(?:{_OR})\s)", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]+(?:['’.-][^\W_]+)*")
_EMPTY = STOPWORDS | set(_STARTS)
_SHORTEST = 3
"""Words of a part; what is shorter stays with the part before it."""


def split_question(question: str, most: int) -> tuple[str, ...]:
    """Return the questions that a question asks, in order; it alone where it asks one, or more than `most`."""
    pieces = [piece for asked in _AFTER_MARK.split(" ".join(question.split())) for piece in _joined(asked)]
    parts: list[str] = []
    for piece in pieces:
        if parts and not _stands_alone(piece):
            parts[-1] = f"{parts[-1]} {piece}"
        else:
            parts.append(piece)
    if not 1 < len(parts) <= most or not all(_stands_alone(part) for part in parts):
        return (question,)
    return tuple(part if part.endswith("?") else f"{part}?" for part in parts)


def keywords(text: str) -> str:
    """Return the words that carry content, in order, each once."""
    words = _WORD.findall(text)
    return " ".join(dict.fromkeys(word for word in words if word.lower() not in _EMPTY))


def other_words(parts: Sequence[str], missing: Sequence[str]) -> tuple[str, ...]:
    """Return other queries for the parts that found too little: their keywords, behind those of the first part.

    The first part names what the others call `it` or `there`. For the first itself, and so for a question that asks
    one thing, the rules know no other words: its keywords alone found nothing else on a suite of 369 questions.
    """
    subject = keywords(parts[0])
    return tuple(f"{subject} {keywords(part)}" for part in missing if part != parts[0])


def _joined(asked: str) -> list[str]:
    """Cut at each `and` before a word that begins a question, unless it joins what is compared."""
    pieces = _JOINT.split(asked)
    return [asked] if len(pieces) > 1 and re.search(r"\bbetween\b", pieces[0], re.IGNORECASE) else pieces


def _stands_alone(piece: str) -> bool:
    words = [word.lower() for word in _WORD.findall(piece)]
    first = next((word for word in words if word not in _LINKS), "")
    return len(words) >= _SHORTEST and (first in _STARTS or piece.endswith("?"))
