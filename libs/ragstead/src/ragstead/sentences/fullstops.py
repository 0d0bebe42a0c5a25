"""Says where sentences end inside one block of prose: the full-stop rules behind `sentences.segment`.

A full stop ends a sentence unless the rules below say otherwise: abbreviations, initials, dotted acronyms,
list
numbers, a lower-case continuation, and brackets that are still open. Linear in the length of the block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Always matches once it has begun, so that a run of stops is read once; what follows is looked at in `_ends_here`.
_STOPS = re.compile(
    r"[.!?\u2026]+[\"')\]}\u201d\u2019\u00bb*_`]*(?:\[[^\[\]\n]{1,40}\]){0,8}|[\u3002\uff01\uff1f\uff61]+[\"')\]\u201d\u2019\u300d\u300f\uff09\u300b]*"
)
_BRACKETS = {"(": ")", "[": "]", "{": "}", "\uff08": "\uff09", "\u300c": "\u300d", "\u300e": "\u300f"}
_SUBSTANCE = re.compile(r"\w")
_OPEN_OR_CLOSE = re.compile("[" + re.escape("".join(_BRACKETS) + "".join(_BRACKETS.values())) + "]")
_MAX_BRACKET = 300
_TAIL = 24

_NEVER_END = frozenset(
    """mr mrs ms messrs c p mme mlle dr prof rev fr hon st ste mt gen col lt sgt capt cmdr adm maj cpl gov
    sen rep pres supt
    e.g i.e eg ie cf viz vs v ca approx resp al fig figs eq eqs sec ch vol vols no nos nr pp ed eds trans op
    cit ibid
    jan feb mar apr jun jul aug sep sept oct nov dec dept univ assn bros tel ext incl excl est min max avg
    bzw usw z.b d.h u.a vgl sog ggf bspw abs art hr sr sra dra ud""".split()
)
_MAY_END = frozenset(
    "etc inc ltd co corp jr sr esq bc ad ph.d m.d b.a m.a a.m p.m am pm u.s u.k u.n u.s.a d.c e.u".split()
)
_STARTERS = frozenset(
    """the a an in on at it its he she they we this that these those there his her their our my i you but
    and or however when while
    after before as by for from if since although though because during under with within to of one some
    many most
    all both each several other another such no not what who where why how which""".split()
)


def sentence_ends(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of the sentences of ``text[start:end]``, adjoining, the last ending at `end`.

    Args:
        text: The whole text.
        start: Where the block begins.
        end: Where it ends; nothing outside the block is looked at.
    """
    block = text[start:end]
    held = _inside_brackets(block)
    low = pointer = 0
    substance = _substance(block, 0)
    for match in _STOPS.finditer(block):
        if substance >= match.start():
            continue
        while pointer < len(held) and held[pointer][1] < match.end():
            pointer += 1
        inside = pointer < len(held) and held[pointer][0] < match.start()
        if not inside and _ends_here(block, low, match):
            yield start + low, start + match.end()
            low = match.end()
            substance = _substance(block, low)
    if low < len(block):
        yield start + low, end


def _substance(block: str, low: int) -> int:
    """Where the first letter or digit stands at or after `low`: stops before it end nothing."""
    found = _SUBSTANCE.search(block, low)
    return found.start() if found else len(block)


def _inside_brackets(block: str) -> list[tuple[int, int]]:
    """Outermost matched bracket pairs of at most `_MAX_BRACKET` characters, in order."""
    stack: list[tuple[str, int]] = []
    pairs: list[tuple[int, int]] = []
    for match in _OPEN_OR_CLOSE.finditer(block):
        char, at = match.group(), match.start()
        if char in _BRACKETS:
            stack.append((_BRACKETS[char], at))
        elif stack and stack[-1][0] == char:
            opened = stack.pop()[1]
            while pairs and pairs[-1][0] > opened:
                pairs.pop()
            pairs.append((opened, at + 1))
    return [(low, high) for low, high in pairs if high - low <= _MAX_BRACKET]


def _ends_here(block: str, low: int, match: re.Match[str]) -> bool:
    stop = match.group()
    if stop[0] in "\u3002\uff01\uff1f\uff61":
        return True
    following = block[match.end() : match.end() + 80]
    if following[:1] and not following[0].isspace():
        return False
    following = following.lstrip()
    if not following:
        return True
    first = following.lstrip("\"'([{\u201c\u2018\u00ab*_`")[:1]
    if first.islower():
        return False
    if stop[0] != "." or stop.startswith(".."):
        return True
    return not _abbreviates(block[max(low, match.start() - _TAIL) : match.start()], match.start() - low, following)


def _abbreviates(tail: str, length: int, following: str) -> bool:
    """Whether the full stop after `tail` belongs to its last word and `following` goes on with the sentence."""
    words = tail.split()
    if not words or tail[-1].isspace():
        return False
    word = words[-1].lstrip("\"'([{\u201c\u2018*_`")
    lower = word.lower()
    if length <= len(words[-1]) + 2 and (word.isdigit() or len(word) == 1):
        return True  # "1. First", "a. First": the number of a list item
    if lower in _NEVER_END:
        return lower not in ("no", "min", "max", "art", "mar", "dec", "sec", "fig", "ed", "v", "c", "p") or _goes_on(
            lower, following
        )
    if len(word) == 1 and word.isupper() and word != "I":
        return True
    if lower in _MAY_END or _dotted(word):
        return not _starts_sentence(following)
    return False


def _goes_on(word: str, following: str) -> bool:
    """Words that are also plain English ("No.", "art.") abbreviate before a number, "v." before a capital too."""
    return following[:1].isdigit() or (word == "v" and following[:1].isupper())


def _dotted(word: str) -> bool:
    parts = word.split(".")
    return len(parts) > 1 and all(len(part) == 1 and part.isalpha() for part in parts)


def _starts_sentence(following: str) -> bool:
    first = following.split(None, 1)[0].strip("\"'([{\u201c\u2018*_`,;:")
    return first.lower() in _STARTERS and first[:1].isupper()
