"""What evaluations ask questions of: a platform in this process, one over HTTP, or a fake."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document that questions are asked about.

    Attributes:
        document_id: Unique among them.
        data: Its bytes.
        is_text: True where the bytes are UTF-8 text that needs no parsing; else the id's ending tells the format.
        title: Goes before the file's own where not empty.
        attributes: The owner's own, for filters.
    """

    document_id: str
    data: bytes
    is_text: bool = False
    title: str = ""
    attributes: Mapping[str, str | float | bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FoundPassage:
    """A passage that a search brought.

    Attributes:
        document_id: Of the document that it is a part of.
        filename: The same document's file name.
        score: As the search has it; higher is better.
        text: Its words.
        injection: Probability that instructions for a model were put into it, as far as that is known.
    """

    document_id: str
    filename: str
    score: float
    text: str
    injection: float = 0.0


@dataclass(frozen=True, slots=True)
class CitedQuote:
    """A citation of an answer, with what really stands where it points.

    Attributes:
        start: Where the words that it carries begin in the answer.
        end: Where they end.
        document_id: Of the document quoted.
        filename: The same document's file name.
        quote: The words as the citation has them.
        found: The words that stand at the citation's offsets in the document's text; empty where there are none.
    """

    start: int
    end: int
    document_id: str
    filename: str
    quote: str
    found: str

    @property
    def stands(self) -> bool:
        """True where the quote is what stands there."""
        return self.quote == self.found != ""


@dataclass(frozen=True, slots=True)
class AnswerRecord:
    """An answer as its reader got it.

    Attributes:
        content: The words, with their marks.
        refused: Whether it is a refusal.
        p_supported: Probability in [0, 1] that the documents answer the question.
        quotes: Its citations.
        dropped_citations: How many the server could not verify.
        latency_ms: From the question to the whole answer, as the asker waited.
        cost_usd: What the models cost; None where nobody knows.
        release: Of the pipeline that answered.
        model: The generator that answered.
        trace_id: Of the answer's trace; may be empty.
    """

    content: str
    refused: bool
    p_supported: float
    quotes: tuple[CitedQuote, ...] = ()
    dropped_citations: int = 0
    latency_ms: float = 0.0
    cost_usd: float | None = 0.0
    release: str = ""
    model: str = ""
    trace_id: str = ""


class EvaluatedSystem(Protocol):
    """Answers questions from collections of documents, one question at a time or several."""

    async def take_in(self, collection: str, documents: Sequence[SourceDocument]) -> None:
        """Put the documents into the collection, which is made where it is not there, and wait until they are found.

        Raises:
            InvalidRequest: If one of them can't be indexed; it is named.
            Unavailable: If a part is down.
        """
        ...

    async def forget(self, collection: str) -> None:
        """Take the whole collection out; one that is not there is no error."""
        ...

    async def ask(self, question: str, collection: str) -> AnswerRecord | None:
        """Return the answer; None where the question is not accepted, such as one that is too long.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        ...

    async def find(self, question: str, collection: str, k: int) -> list[FoundPassage] | None:
        """Return up to `k` passages for the question, best first; None where the question is not accepted.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        ...
