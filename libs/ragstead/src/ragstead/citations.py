"""Marks in an answer to quotes that can be checked.

A mark `[n]` points at passage n of the evidence. The words it stands behind are looked for in that passage: verbatim
(white space aside) they are `supported`; else the sentence of the passage that shares most of their content words
carries them, unless a number or a negation differs. What no sentence carries loses its mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ragstead.marks import MARK, without_marks
from ragstead.model import Verdict

_WORD = re.compile(r"\w+(?:[.,:]\d+)*")
_NEGATIONS = frozenset({"no", "not", "never", "none", "without", "cannot", "nor", "neither"})
_SUPPORTED = 0.9
_PARTIAL = 0.6

Splitter = Callable[[str], Sequence[tuple[int, int]]]
Analyser = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Claim:
    """A piece of an answer between marks.

    Attributes:
        words: The words, without marks and without white space at their ends.
        passages: Numbers of the passages that its marks name, in order, each once.
        closing: The punctuation behind the words, which belongs to no quote.
    """

    words: str
    passages: tuple[int, ...]
    closing: str


@dataclass(frozen=True, slots=True)
class Support:
    """Words of a passage that carry a claim.

    Attributes:
        start: Offset of the quote in the passage.
        end: Offset behind it.
        verdict: How far it carries the claim.
    """

    start: int
    end: int
    verdict: Verdict


def read_claim(sentence: str) -> Claim:
    """Return the claim that a sentence of an answer makes, and the passages its marks name."""
    passages = tuple(dict.fromkeys(int(number) for number in MARK.findall(sentence)))
    plain = " ".join(without_marks(sentence).split())
    words = plain.rstrip(" .!?;:,。！？")
    return Claim(words or plain, passages, plain[len(words) :].strip() if words else "")


def find_support(claim: str, passage: str, split: Splitter, analyse: Analyser) -> Support | None:
    """Return the best quote for a claim in a passage; None where no sentence carries it."""
    verbatim = find_verbatim(claim, passage)
    if verbatim is not None:
        return Support(*verbatim, Verdict.SUPPORTED)
    wanted = set(analyse(claim))
    best: tuple[float, int, int] | None = None
    for start, end in split(passage):
        share = _carried(claim, wanted, passage[start:end], analyse)
        if best is None or share > best[0]:
            best = (share, start, end)
    if best is None or best[0] < _PARTIAL:
        return None
    return Support(best[1], best[2], Verdict.SUPPORTED if best[0] >= _SUPPORTED else Verdict.PARTIAL)


def find_verbatim(words: str, passage: str) -> tuple[int, int] | None:
    """Return where the words stand in the passage, white space aside; None where they do not."""
    parts = words.split()
    if not parts:
        return None
    found = re.search(r"\s+".join(re.escape(part) for part in parts), passage)
    return found.span() if found else None


def shortened(support: Support, passage: str, hidden: Sequence[str]) -> Support:
    """Return the support with its quote cut to the longest part without any of the words hidden, then `partial`.

    A quote that is nothing else keeps its first character alone, as no citation is without a quote.
    """
    parts = [(support.start, support.end)]
    for words in hidden:
        parts = [piece for part in parts for piece in _outside(passage, part, words)]
    if parts == [(support.start, support.end)]:
        return support
    start, end = max(parts, key=lambda part: part[1] - part[0], default=(support.start, support.start + 1))
    return Support(start, end, Verdict.PARTIAL)


def _outside(passage: str, part: tuple[int, int], words: str) -> list[tuple[int, int]]:
    """Return what of a part lies beside the words, without white space and marks at its ends."""
    start, end = part
    found = find_verbatim(words, passage[start:end])
    if found is None:
        return [part]
    sides = [(start, start + found[0]), *_outside(passage, (start + found[1], end), words)]
    trimmed = []
    for left, right in sides:
        kept = passage[left:right].strip(" \t\n.,;:()")
        if kept:
            at = passage.index(kept, left)
            trimmed.append((at, at + len(kept)))
    return trimmed


def _carried(claim: str, wanted: set[str], sentence: str, analyse: Analyser) -> float:
    """Return the share of the claim's terms that the sentence has; 0 where a number or a negation differs."""
    if not wanted or not _numbers(claim) <= _numbers(sentence) or _negated(claim) != _negated(sentence):
        return 0.0
    return len(wanted & set(analyse(sentence))) / len(wanted)


def _numbers(text: str) -> set[str]:
    return {word for word in _WORD.findall(text) if word[0].isdigit()}


def _negated(text: str) -> bool:
    words = {word.lower() for word in _WORD.findall(text)}
    return bool(words & _NEGATIONS) or "n't" in text.lower()
