"""What kind of answer a question asks for, and how much of it a sentence holds. Word lists and regexes only.

English rules; a question in another language expects ``OTHER``, and the scores then rest on overlap and cosine.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum

from ragstead.answering.terms import STOPWORDS, stem, tokens


class AnswerType(Enum):
    """The kind of answer a question asks for."""

    PERSON = "person"
    TIME = "time"
    NUMBER = "number"
    MONEY = "money"
    PERCENT = "percent"
    PLACE = "place"
    NAME = "name"
    REASON = "reason"
    MANNER = "manner"
    YES_NO = "yes_no"
    OTHER = "other"


_HEADS: dict[AnswerType, frozenset[str]] = {
    AnswerType.TIME: frozenset("year years date day month century decade time era period season age".split()),
    AnswerType.PERCENT: frozenset("percentage percent proportion fraction share".split()),
    AnswerType.NUMBER: frozenset(
        """number amount population size length height width distance depth weight area temperature rate
        speed score total
        count quantity range average duration version port""".split()
    ),
    AnswerType.MONEY: frozenset("cost price salary revenue budget fee income value currency profit".split()),
    AnswerType.PLACE: frozenset(
        """country city state town region place continent river province location county capital nation
        island area
        district street village mountain sea ocean lake building territory border suburb university school
        college museum""".split()
    ),
    AnswerType.PERSON: frozenset(
        """person president king queen emperor leader author writer scientist actor player man woman people
        founder
        general pope bishop artist architect engineer director minister physicist mathematician chemist
        philosopher
        singer coach governor mayor quarterback theologian historian explorer ruler duke researcher inventor
        group""".split()
    ),
    AnswerType.NAME: frozenset(
        """name title term word nickname company organization organisation book film team party treaty law
        act language
        religion league agency program project court show song album paper magazine newspaper award event
        war battle
        movement school theory dynasty tribe church institution""".split()
    ),
}
_STARTS: list[tuple[re.Pattern[str], AnswerType]] = [
    (
        re.compile(
            r"\bhow (?:much|many)\b.{0,60}\b(?:cost|costs|pay|paid|spend|spent|worth|money|dollars|earn|charge)"
        ),
        AnswerType.MONEY,
    ),
    (
        re.compile(r"\bhow (?:many|much|often|far|tall|high|large|big|old|deep|wide|fast|heavy|small|thick)\b"),
        AnswerType.NUMBER,
    ),
    (re.compile(r"\bhow long\b|\bhow old\b"), AnswerType.NUMBER),
    (re.compile(r"\bwho(?:m|se)?\b"), AnswerType.PERSON),
    (re.compile(r"\bwhen\b"), AnswerType.TIME),
    (re.compile(r"\bwhere\b"), AnswerType.PLACE),
    (re.compile(r"\bwhy\b|\bfor what (?:reason|purpose)\b|\bwhat (?:caused|causes|prompted)\b"), AnswerType.REASON),
    (re.compile(r"\bhow\b"), AnswerType.MANNER),
]
_WHAT = re.compile(r"\b(?:what|which)(?:'s|\u2019s)?\s+((?:[^\s?]+\s+){0,5}[^\s?]+)")
_AUXILIARY = re.compile(r"\s*(?:is|are|was|were|do|does|did|can|could|has|have|had|will|would|should|may|must)\b")
_LINKS = frozenset(
    "is are was were be do does did has have had can could will would should may might of in for".split()
)

NUMBER_WORDS = frozenset(
    """one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
    seventeen eighteen
    nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion trillion
    dozen half
    third quarter first second once twice double triple several""".split()
)
_MONTHS = r"january|february|march|april|may|june|july|august|september|october|november|december"
_TIME = re.compile(
    rf"\b(?:1[0-9]{{3}}|20[0-9]{{2}})(?:s|\b)|\b(?:{_MONTHS})\b(?:\s+\d|,)|\d\s+(?:{_MONTHS})\b|"
    r"\bcentur(?:y|ies)\b|\b\d{1,4}\s*(?:bc|ad|bce|ce)\b|"
    r"\b(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)s?\b|\bdecades?\b|"
    r"\byears?\b|\b\d{1,2}:\d\d\b|\btoday\b|\bdays?\b|\bmonths?\b",
    re.IGNORECASE,
)
_PERCENT = re.compile(
    r"\d\s*%|\bper\s?cent\b|\bpercentage\b|\b(?:one|two|three)[- ](?:half|thirds?|quarters?|fifths?)\b|\bhalf\b",
    re.IGNORECASE,
)
_MONEY = re.compile(
    r"[$\u20ac\u00a3\u00a5]\s?\d|\b(?:dollars?|euros?|pounds?|cents?|francs?|shillings?|yen|usd|eur|ksh)\b",
    re.IGNORECASE,
)
_REASON = re.compile(
    r"\b(?:because|due to|since|as a result|in order to|so that|owing to|caused|"
    r"to avoid|therefore|reason|thus|prevent|allow)",
    re.IGNORECASE,
)
_MANNER = re.compile(r"\b(?:by|through|using|via|with|used|use)\b", re.IGNORECASE)
_PLACE_BEFORE = frozenset(
    "in at from near to of across through into throughout outside around within between along".split()
)


_PATTERNS = {AnswerType.TIME: _TIME, AnswerType.PERCENT: _PERCENT, AnswerType.MONEY: _MONEY}
_CUES = {AnswerType.REASON: _REASON, AnswerType.MANNER: _MANNER}


def expected_type(question: str) -> AnswerType:
    """Return the kind of answer `question` asks for, from its question word and, for what and which, its head noun."""
    lowered = question[:2000].lower()
    for pattern, kind in _STARTS[:3]:
        if pattern.search(lowered):
            return kind
    head = _head_type(lowered)
    if head is not None:
        return head
    if _WHAT.search(lowered):
        return next((kind for pattern, kind in _STARTS[6:7] if pattern.search(lowered)), AnswerType.OTHER)
    for pattern, kind in _STARTS[3:]:
        if pattern.search(lowered):
            return kind
    return AnswerType.YES_NO if _AUXILIARY.match(lowered) else AnswerType.OTHER


def _head_type(lowered: str) -> AnswerType | None:
    words = head_words(lowered)
    for word in words:
        single = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
        for kind, heads in _HEADS.items():
            if single in heads or word in heads:
                return kind
    return None


def head_words(lowered: str) -> list[str]:
    """Return the words after what or which up to the first verb or preposition.

    Last word first: "what main river" gives [river, main]. For "what is the name of ..." the words after the verb.
    """
    found = _WHAT.search(lowered)
    if not found:
        return []
    words = [word.strip(",.;:'\"") for word in found.group(1).split()]
    while words and (words[0] in _LINKS or words[0] in STOPWORDS):
        words.pop(0)
    phrase: list[str] = []
    for word in words:
        if word in _LINKS or word in STOPWORDS:
            break
        phrase.append(word)
    return phrase[::-1][:3]


def amount_held(kind: AnswerType, sentence: str, question_stems: Collection[str]) -> float:
    """Return in 0..1 how much of that kind of answer `sentence` holds beyond what the question itself says.

    Names are capitalised words that are neither in the question nor first in the sentence (a first word counts
    half); numbers are digits and number words not in the question. ``OTHER`` and ``YES_NO`` are never held.
    """
    if kind in _PATTERNS:
        return _novel(_PATTERNS[kind], sentence, question_stems)
    if kind in _CUES:
        return float(bool(_CUES[kind].search(sentence)))
    names, places, numbers = _names_and_numbers(sentence, question_stems)
    if kind in (AnswerType.PERSON, AnswerType.NAME):
        return min(1.0, names / 2)
    if kind is AnswerType.PLACE:
        return min(1.0, places / 2)
    return min(1.0, float(numbers)) if kind is AnswerType.NUMBER else 0.0


def _names_and_numbers(sentence: str, question_stems: Collection[str]) -> tuple[float, float, int]:
    names = places = 0.0
    numbers = 0
    before, first = "", True
    for word, _ in tokens(sentence):
        lower = word.lower()
        known = stem(lower) in question_stems
        if word[0].isdigit() or lower in NUMBER_WORDS:
            numbers += not known
        elif word[0].isupper() and not known and lower not in STOPWORDS:
            names += 0.5 if first else 1.0
            places += 1.0 if before in _PLACE_BEFORE else 0.25
        before, first = lower, False
    return names, places, numbers


def _novel(pattern: re.Pattern[str], sentence: str, question_stems: Collection[str]) -> float:
    """1 where a match says something that the question does not, 0.5 where every match repeats it."""
    best = 0.0
    for match in pattern.finditer(sentence):
        words = [stem(word.lower()) for word, _ in tokens(match.group())]
        if not words or any(word not in question_stems for word in words):
            return 1.0
        best = 0.5
    return best
