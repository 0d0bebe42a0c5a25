"""Answers that were traced, read back from where the traces are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

NO_TRACE = "trace"
"""`kind` of the `NotFound` of a trace that a store does not have."""
NO_ANSWER = "traced answer"
"""`kind` of the `NotFound` of a trace that is there, and whose answer can't be read back."""


@dataclass(frozen=True, slots=True)
class TracedPassage:
    """A passage that an answer was made from.

    Attributes:
        document_id: Unique in its collection.
        chunk_id: Never used again.
        filename: As it was given.
        text: The words, as they were captured: cut where they were long, redacted where rules said so.
        score: Probability in [0, 1] that it is relevant.
    """

    document_id: str
    chunk_id: str
    filename: str
    text: str
    score: float


@dataclass(frozen=True, slots=True)
class TracedQuote:
    """What an answer cited.

    Attributes:
        document_id: Unique in its collection.
        filename: As it was given.
        quote: The words, as they were captured.
    """

    document_id: str
    filename: str
    quote: str


@dataclass(frozen=True, slots=True)
class TracedAnswer:
    """A question and what came of it.

    Attributes:
        trace_id: 32 hexadecimal digits.
        question: The one that was searched: it stands alone.
        collection: Where.
        collection_version: Of the collection then.
        release: The release's id.
        model: What wrote the answer.
        answer: Its words.
        refused: Whether it was a refusal.
        reason: Why, or None.
        p_supported: Probability in [0, 1] that the collection answers the question.
        asked: What the caller asked for beside the question, as JSON values: `k`, `strategy`, `filter`...
        quotes: What it cited, in order.
        passages: What it was made from, best first.
    """

    trace_id: str
    question: str
    collection: str
    collection_version: int
    release: str
    model: str
    answer: str
    refused: bool
    reason: str | None
    p_supported: float
    asked: Mapping[str, object] = field(default_factory=dict)
    quotes: tuple[TracedQuote, ...] = ()
    passages: tuple[TracedPassage, ...] = ()


class AnswerTraces(Protocol):
    """The traces of answers, as far as they are still kept."""

    async def find(self, trace_id: str) -> TracedAnswer:
        """Return the answer of a trace.

        A trace is there some seconds after its answer, once it was exported.

        Raises:
            NotFound: If there is no such trace (`NO_TRACE`), it is of no answer, or its contents were not captured
                (`NO_ANSWER`).
            Overloaded: If the store asks to come back later.
            Unavailable: If it can't be reached, or what it gives not be read.
        """
        ...
