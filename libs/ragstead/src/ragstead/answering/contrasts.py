"""Words that turn a question into one that the evidence does not answer: negations, denials, words that restrict.

English only; elsewhere nothing is found and nothing is held against a question. Opposites are in `oppositions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NEGATION = re.compile(
    r"\b(?:not|never|none|nothing|nobody|neither|nor|without|cannot|except|unable|hardly|rarely|seldom|isnt|wasnt|didnt|doesnt|dont|cant|wont)\b|n['\u2019]t\b",
    re.IGNORECASE,
)
_DENIAL = re.compile(
    r"\b(?:fail(?:ed|s|ure)?|refus(?:e|ed|es|al)|lack(?:ed|s|ing)?|avoid(?:ed|s)?|prevent(?:ed|s)?|impossible|oppos(?:e|ed|es)|reject(?:ed|s)?|den(?:y|ied|ies)|"
    r"un(?!i|der|til|cle)\w{4,}|non-?\w{4,}|dis(?!c|tr|t|p)\w{4,}|in(?:capable|valid|dependent|active|correct|sufficient|frequent)|ir(?:regular|relevant)|il(?:legal))\b",
    re.IGNORECASE,
)
_AUXILIARY = "is|are|was|were|do|does|did|has|have|had|ca|can|could|wo|will|would|should|must"
_ASKED_WITH_NOT = re.compile(rf"\b(?:{_AUXILIARY})(?:n['\u2019]?t|\s+not)\b", re.IGNORECASE)
_MODIFIERS = frozenset(
    """all always any before after both different each either entire every except first final last latest
    earliest largest smallest
    greatest highest lowest least most less more fewer many few never only other same second third without
    instead rather opposite best worst
    main primary original oldest newest youngest longest shortest strongest weakest once twice half double
    former latter next previous
    exclusively mostly mainly rarely often sometimes usually solely independent despite until since during
    along besides current still""".split()
)


def negated(text: str) -> bool:
    """Whether `text` negates in so many words."""
    return bool(_NEGATION.search(text))


def denies(text: str) -> bool:
    """Whether `text` says that something fails, lacks or is refused, or holds a negated adjective."""
    return bool(_DENIAL.search(text))


def denied_in_question(text: str) -> bool:
    """Whether `text` asks with a negated auxiliary: "which did not", "who isn't", also without the apostrophe."""
    return bool(_ASKED_WITH_NOT.search(text))


def modifiers(words: Iterable[str]) -> frozenset[str]:
    """Those of `words` that order, count or restrict, in lower case."""
    return _MODIFIERS.intersection(word.lower() for word in words)
