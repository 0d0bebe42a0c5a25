"""A sentence as the things it says: numbers, names, negations, qualifiers and other content words, in order.

Numbers are compared by value (`1,200`, `1200` and `twelve hundred` are one, `3 million` is 3000000, `40 %` is `40
percent`), names by their letters, other words by their stems. Words of grammar are left out.

Not known here: units are words like others, so `3 km` and `3,000 m` differ; names in scripts without capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from ragstead.analysis import STOPWORDS, stem_word


class Kind(IntEnum):
    """What a token is; the higher, the more it says."""

    WORD = 0
    QUALIFIER = 1
    NEGATION = 2
    NAME = 3
    NUMBER = 4


@dataclass(frozen=True, slots=True)
class Token:
    """Something that a sentence says.

    Attributes:
        key: What it is compared by.
        kind: What it is.
    """

    key: str
    kind: Kind


_TOKEN = re.compile(r"\d+(?:[.,:]\d+)*|[^\W\d_]+(?:[.&][^\W\d_](?![^\W\d_]))*|[%°$€£¥+]")
_CONTRACTED = re.compile(r"(?<=[a-z])n['’]t\b|['’](?:s|S|re|ve|ll|d|m)\b")
_SMALL = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
).split()
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
_ORDINALS = "zeroth first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth".split()
_VALUES = (
    {word: value for value, word in enumerate(_SMALL) if value > 1}
    | {word: 10 * value for value, word in enumerate(_TENS, 2)}
    | {"hundred": 100, "dozen": 12}
)
_ORDINAL_VALUES = {word: value for value, word in enumerate(_ORDINALS) if value}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_SYMBOLS = {"%": "percent", "$": "dollar", "€": "euro", "£": "pound", "¥": "yen", "°": "degree"}
_NEGATIONS = frozenset(
    "no not never none without cannot nor neither nobody nothing nowhere hardly barely n't fail fails failed "
    "nicht kein keine keinen keiner nie niemals ohne".split()
)
_PAIRS = """
    more less|more fewer|most least|before after|above below|over under|first last|early late|earlier later|always never
    |all some|all none|every some|only also|increase decrease|increases decreases|increased decreased|rise fall|rose fell
    |rising falling|higher lower|high low|highest lowest|larger smaller|largest smallest|large small|bigger smaller
    |longer shorter|long short|greater lesser|better worse|best worst|north south|northern southern|east west
    |eastern western|male female|men women|man woman|win lose|won lost|win lost|include exclude|includes excludes
    |included excluded|with without|inside outside|internal external|up down|left right|old new|older younger
    |true false|possible impossible|able unable|legal illegal|allowed forbidden|allowed banned|accept reject
    |accepted rejected|agree disagree|agreed disagreed|support oppose|supported opposed|begin end|began ended|start stop
    |started stopped|open closed|public private|same different|similar different|positive negative|strong weak
    |rich poor|major minor|majority minority|many few|often rarely|usually rarely|cause prevent|causes prevents
    |at least at most|maximum minimum|upper lower|gain loss|gained lost|remain leave|entered left|buy sell|bought sold
    |enable disable|enabled disabled|required optional|must may|successful unsuccessful|likely unlikely|known unknown
    |common rare|multiple single|both neither|partially fully|completely partly|entire partial|temporary permanent
"""
_OPPOSITES: dict[str, set[str]] = {}
for _pair in _PAIRS.split("|"):
    _words = _pair.split()
    if len(_words) == 2:
        _OPPOSITES.setdefault(_words[0], set()).add(_words[1])
        _OPPOSITES.setdefault(_words[1], set()).add(_words[0])
_OPENERS = frozenset(
    "although though however moreover since despite unlike like according following among within throughout upon via per "
    "unless whereas whether yet still thus hence meanwhile furthermore additionally today".split()
)
_GRAMMAR = STOPWORDS - _NEGATIONS - set(_OPPOSITES)


def tokens_of(sentence: str) -> list[Token]:
    """Return what the sentence says, in order; empty where it holds nothing but grammar."""
    found = _TOKEN.findall(_CONTRACTED.sub(lambda match: " not " if match[0][0] == "n" else " ", sentence))
    return list(_read(found))


def opposes(word: str, other: str) -> bool:
    """Return whether two keys say the opposite, as `increased` and `decreased` do."""
    return other in _OPPOSITES.get(word, ())


def _read(found: Sequence[str]) -> Iterator[Token]:
    at = 0
    while at < len(found):
        value, used = _number(found, at)
        if used:
            yield Token(value, Kind.NUMBER)
            at += used
            continue
        token = _word(found, at)
        if token is not None:
            yield token
        at += 1


def _word(found: Sequence[str], at: int) -> Token | None:
    text = found[at]
    low = text.lower()
    if low in _NEGATIONS:
        return Token("not" if low != "without" else low, Kind.NEGATION)
    if low in _OPPOSITES:
        return Token(low, Kind.QUALIFIER)
    if text in _SYMBOLS:
        return Token(_SYMBOLS[text], Kind.WORD)
    if low in _GRAMMAR or text == "+":
        return None
    if text[0].isupper() and (at > 0 or _is_name_at_start(found)):
        return Token(stem_word(low.replace(".", "")), Kind.NAME)
    return Token(stem_word(low), Kind.WORD)


def _is_name_at_start(found: Sequence[str]) -> bool:
    """Return whether the first word is a name: an acronym, or followed by another capital."""
    first, following = found[0], found[1] if len(found) > 1 else ""
    if first.lower() in _OPENERS:
        return False
    return (len(first) > 1 and first.isupper()) or (following[:1].isupper() and following.lower() not in _GRAMMAR)


def _number(found: Sequence[str], at: int) -> tuple[str, int]:
    """Return the value of the number that begins here, as text, and how many tokens it takes; 0 for none."""
    text = found[at].lower()
    if text in _ORDINAL_VALUES and text not in _OPPOSITES and text != "second":
        return str(_ORDINAL_VALUES[text]), 1
    if text[0].isdigit():
        value = _digits(text)
    elif text in _VALUES:
        value = float(_VALUES[text])
    else:
        return "", 0
    used = 1
    while value is not None and at + used < len(found):
        following = found[at + used].lower()
        if following in _SCALES:
            value *= _SCALES[following]
        elif text in _TENS and following in _SMALL[1:10]:
            value += _SMALL.index(following)
        else:
            break
        used += 1
    if value is not None and at + used < len(found) and found[at + used] in {"st", "nd", "rd", "th", "s"}:
        used += 1
    return (text if value is None else f"{value:g}" if abs(value) < 1e5 else f"{value:.10g}"), used


def _digits(text: str) -> float | None:
    """Return the value of digits with thousands' commas and a decimal point; None for a time, a version, a section."""
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", text)
    return float(plain) if re.fullmatch(r"\d{1,15}(?:\.\d+)?", plain) else None
