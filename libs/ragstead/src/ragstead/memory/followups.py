"""Tells follow-up questions from those that stand alone, and makes them stand alone by the words before them.

A question counts as a follow-up where a word of it points back and nothing in the question itself can be what it
points at: a pronoun in whose clause, or before whose clause, no candidate stands (an object pronoun never means the
subject of its own clause), a demonstrative, "the same", "which one"; or where it is a fragment: "why?", "and for
managers?", "what about Berlin?". Everything else is left as it is: a question that stands alone must not be hurt, so
the rules rather miss a follow-up.

Not known here: languages other than English, whose questions count as neither; follow-ups without any sign ("what is
the limit?"), which need a model; who "he" and "she" are, beyond the names in the last answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum

from ragstead.analysis import analyse
from ragstead.ports.generator import Message

MAX_CHARS = 600
"""A standalone question made by the rules is no longer than this, unless the question itself is."""

_TERMS_ENOUGH = 7
"""Content terms with which a question finds its passages, whatever its pronouns point at."""
_CHARS_ENOUGH = 500
"""The same in characters; it keeps the rules quick, too."""

_LOOK_BACK = 12
"""Messages before the question that the rules read."""


class Kind(Enum):
    """How a question stands to the conversation before it."""

    STANDALONE = "standalone"
    FOLLOW_UP = "follow-up"
    OPEN = "open"
    """Short, and without a sign: nobody can tell without reading the conversation."""


_PERSONAL = frozenset("it they them he she him".split())
_POSSESSIVE = frozenset("its their theirs his her hers".split())
_ONE_PERSON = frozenset("he she him his her hers".split())
_AUXILIARY = (
    "is|are|was|were|be|does|do|did|has|have|had|can|could|will|would|should|shall|may|might|must|apply|applies|mean"
    "|means|work|works|change|changes|happen|happens|cost|costs|take|takes"
)
_PREPOSITION = (
    "about|after|at|before|beyond|by|during|for|from|in|into|like|of|on|over|than|to|under|with|without|within"
)
_DEIXIS = "year|quarter|month|week|weekend|morning|afternoon|evening|time|day|company|handbook|document|collection|way"

_POINTS_BACK = re.compile(
    rf"""
      \b(?:the\ same|the\ (?:former|latter)|(?:which|what|that|this|other|another|first|second|third|last)\ ones?)\b
    | \b(?:who|what|where|anything|anyone|something|someone)\ else\b
    | \b(?:this|these|those)\ (?:{_AUXILIARY})\b
    | ^\s*(?:{_AUXILIARY})\ (?:this|these|those|that)\b(?!\ (?:{_DEIXIS})\b)
    | \b(?:{_PREPOSITION}|{_AUXILIARY})\ (?:this|these|those|that)\s*(?:$|[?!.,;]|\b(?:{_AUXILIARY})\b)
    | \b(?:{_PREPOSITION})\ that\ (?!(?:{_DEIXIS})\b)\w+
    | \b(?:{_PREPOSITION}|{_AUXILIARY})\ (?:this|these|those)\ (?!(?:{_DEIXIS}|who|that|which)\b)\w+
    | (?<!\bis\ )(?<!\bare\ )(?<!\bwas\ )\bthere\s*[?!.]*$
    | \bthen\s*[?!.]*$
    """,
    re.VERBOSE | re.IGNORECASE,
)
_EXPLETIVE = re.compile(
    r"\bit\s+(?:(?:is|was|be|will\ be|would\ be|take|takes|took|cost|costs|rains?|snows?)\s+)?"
    r"(?:(?!to\b|that\b|if\b)\w+\s+){0,3}?(?:to|that|if|whether)\s+(?P<rest>.*)|\bit\s+(?:is\s+)?(?:rain|snow)",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^\s*(?:and|but|or|so|also|then|ok(?:ay)?|yes|no|now|well)\b[\s,]*", re.IGNORECASE)
_ABOUT = re.compile(r"^\s*(?:and|but|or|so|ok(?:ay)?)?[\s,]*(?:what|how) about\b", re.IGNORECASE)
_FRAGMENT = re.compile(
    rf"^\s*(?:(?:not|only|even|also|except)\s+)?(?:{_PREPOSITION}|since|until|why|how|when|where|who|whom|which|what)\b",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(rf"^\s*(?:if|when|while|because)\s+(?!(?:{_AUXILIARY})\b)[^,]*$", re.IGNORECASE)
_VERB = re.compile(rf"\b(?:{_AUXILIARY})\b", re.IGNORECASE)
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_CLAUSE = re.compile(
    r"[,;:.!?]|\b(?:do|can|must|should|may|will|could|would)\s+(?=(?:i|we|you|one|people)\b)|\b(?:and|but|or|if|when|while|because|who|which|that|where|after|before|until)\b",
    re.IGNORECASE,
)
_DETERMINED = re.compile(r"\b(?:a|an|the|each|every|any|all|some|my|our|your|no)\s+\w+", re.IGNORECASE)
_ACRONYM = re.compile(r"\b[A-Z]{2,}\b")
_NAME = re.compile(r"(?<=\s)[A-Z][\w&'’-]*(?:\s+[A-Z][\w&'’-]*)*")
_WORD = re.compile(r"[^\W_]+(?:['’]\w+)?")


def kind_of_question(question: str) -> Kind:
    """Return how a question stands to what was said before it, by its words alone."""
    terms = analyse(question)
    if len(question) > _CHARS_ENOUGH or len(terms) >= _TERMS_ENOUGH or not _WORD.search(question):
        return Kind.STANDALONE
    back = _POINTS_BACK.search(question)
    if not (terms or _ACRONYM.search(question)) or _ABOUT.search(question) or _is_fragment(question):
        return Kind.FOLLOW_UP
    if back is not None and not _has_candidate("".join(_SENTENCE.split(question[: back.start()])[:-1])):
        return Kind.FOLLOW_UP
    if any(_points_at_nothing(question, match) for match in _WORD.finditer(question)):
        return Kind.FOLLOW_UP
    return Kind.OPEN if len(terms) < 3 else Kind.STANDALONE


def _is_fragment(question: str) -> bool:
    """Say whether a question lacks what it asks about: "and for managers?", "why?", "since when?"."""
    bare = _LEAD.sub("", question)
    terms = len(analyse(bare))
    if bare != question and terms <= 1:
        return True
    if bare != question and terms <= 3 and _SUBORDINATE.match(bare):
        return True
    return terms <= 1 and bool(_FRAGMENT.match(bare)) and not _VERB.search(bare) and len(_WORD.findall(bare)) <= 4


def _points_at_nothing(question: str, match: re.Match[str]) -> bool:
    """Say whether a word is a pronoun that nothing before it in the question can be meant by."""
    word, before = match[0].lower(), question[: match.start()]
    if word in _POSSESSIVE:
        return not _has_candidate(before)
    if word not in _PERSONAL or match[0] == "IT":
        return False
    if word == "it":
        expletive = _EXPLETIVE.match(question, match.start())
        if expletive and (expletive["rest"] is None or len(analyse(expletive["rest"])) >= 2):
            return False
        # "is it true that ...", "how long does it take to ...": it stands for what follows
    clauses = _CLAUSE.split(before)
    return not any(_has_candidate(clause) for clause in clauses[:-1])


def _has_candidate(text: str) -> bool:
    """Say whether a text names something: a noun with its article, a name, or a verb and what it is done to."""
    return bool(_DETERMINED.search(text) or _NAME.search(text)) or len(analyse(text)) >= 2


def standalone(question: str, before: Sequence[str], answer: str = "") -> str:
    """Return a follow-up with the content words that it lacks: its own words first, as they say what is asked.

    Args:
        question: A follow-up.
        before: The questions that it follows, the nearest first.
        answer: What was answered; its names are added where the question asks after one person.
    """
    people = {word.lower() for word in _WORD.findall(question)} & _ONE_PERSON
    texts = [_names(answer), *before] if people else before
    own = " ".join(question.split())
    known, lacking, room = set(analyse(question)), [], MAX_CHARS - len(own) - len(" ()")
    for word in (word for text in texts for word in _WORD.findall(text)):
        terms = set(analyse(word))
        if terms - known and len(word) < room:
            known |= terms
            lacking.append(word)
            room -= len(word) + 1
    return f"{own} ({' '.join(lacking)})" if lacking else own


def standalone_of(question: str, earlier: Sequence[Message]) -> str:
    """Return the question as it stands alone after a conversation, by the rules.

    A chain of follow-ups goes back to the last question that stood alone, and keeps the newest of what came between.

    Args:
        question: The newest one.
        earlier: The turns before it, oldest first.
    """
    if kind_of_question(question) is not Kind.FOLLOW_UP:
        return question
    root, between, answer = "", "", ""
    for message in earlier[-_LOOK_BACK:]:
        if message.role == "assistant":
            answer = message.content
        elif message.role == "user" and message.content.strip():
            follows = root and kind_of_question(message.content) is Kind.FOLLOW_UP
            root, between = (root, message.content) if follows else (message.content, "")
            answer = ""
    return standalone(question, [between, root], answer) if root else question


def _names(answer: str) -> str:
    """Return the names in an answer; the first word of a sentence is none."""
    return " ".join(match[0] for match in _NAME.finditer(answer[:2000]))[:120]
