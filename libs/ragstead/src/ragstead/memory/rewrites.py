"""Whether a model's rewriting of a question may be searched instead of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ragstead.analysis import analyse
from ragstead.ports.generator import Message

_QUOTES = "\"'“”‘’`*"
_LABEL = re.compile(r"^\s*(?:standalone question|rewritten question|question|answer)\s*:\s*", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")


def accepted(text: str, question: str, earlier: Sequence[Message], *, keep_all: bool) -> str | None:
    """Return a model's question where it may be searched, None where the rules had better be asked.

    What it wrote must be one line, not much longer than the question, of words that were said (a fourth of them may
    be new, for grammar), and keep the question's own: all of them, or half where it has to replace some. So what a
    model makes up, and what somebody in the conversation talked it into, is not searched.

    Args:
        text: What the model wrote.
        question: What was asked.
        earlier: The turns before it.
        keep_all: Whether every term of the question must stay, as where it may well have stood alone.
    """
    written = _LABEL.sub("", text.strip()).strip().strip(_QUOTES).strip()
    if not written or "\n" in written or len(written) > 400 + len(question) or not written.isprintable():
        return None
    terms, own = set(analyse(written)), set(analyse(question))
    said = own | {term for message in earlier for term in analyse(message.content)}
    if not terms or len(terms - said) > len(terms) // 4:
        return None
    kept = len(own & terms) / len(own) if own else 1.0
    numbers = set(_NUMBER.findall(question)) <= set(_NUMBER.findall(written))
    return written if numbers and kept >= (1.0 if keep_all else 0.5) else None
