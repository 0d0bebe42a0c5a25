"""A question, and what answers it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from ragstead.errors import InvalidRequest
from ragstead.filters import Filter
from ragstead.model import Answer, Strategy
from ragstead.ports.conversations import ANONYMOUS
from ragstead.ports.generator import Message, Sampling
from ragstead.ports.tracer import TraceContext


@dataclass(frozen=True, slots=True)
class AskRequest:
    """A question and where to look for its answer.

    Attributes:
        question: In words; one that can be understood without the conversation, once that is condensed.
        collection: Name or id.
        messages: The conversation, oldest first, the last turn in the words of its user.
        filter: Which documents may be used; None for all.
        k: Passages to answer from; None for the configured number.
        strategy: None for the configured one.
        sampling: How a model draws tokens.
        affinity: The same for all questions of a conversation.
        template: Name of the prompt template that a model writes with; None for the configured one.
        conversation_id: Of the conversation that the server keeps, or None.
        owner: Who asks, as far as conversations go.
        history_may_leave: Whether a hosted model may read the conversation; the evidence has a word of its own.
        agent: Whether to search several times.
        release: Id of the release that answers; None for the one that is live.
        trace: Where its trace begins.
        private: Whether it is a turn of a conversation that its owner may delete, and is written down nowhere else.
    """

    question: str
    collection: str = "default"
    messages: tuple[Message, ...] = ()
    filter: Filter | None = None
    k: int | None = None
    strategy: Strategy | None = None
    sampling: Sampling = field(default_factory=Sampling)
    affinity: str = ""
    template: str | None = None
    conversation_id: str | None = None
    owner: str = ANONYMOUS
    history_may_leave: bool = True
    private: bool = False
    agent: bool = False
    release: str | None = None
    trace: TraceContext = field(default_factory=TraceContext, compare=False)

    def __post_init__(self) -> None:
        if not self.question.strip():
            raise InvalidRequest("the question is empty; ask something", param="messages")


class Answerer(Protocol):
    """Answers questions: the pipeline itself, or what stands before it and does more.

    Whoever is one says so, and has `answer` from here.
    """

    async def answer(self, request: AskRequest) -> Answer:
        """Return the answer, or the refusal, that the stream ends with; raises what the stream raises."""
        return await answer_of(self.stream(request))

    def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer, whose content is all of it."""
        ...


async def answer_of(pieces: AsyncGenerator[str | Answer, None]) -> Answer:
    """Return the answer that a stream ends with, and close the stream; what the stream raises is raised."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Answer):
                return piece
    raise AssertionError("a stream ends with its answer")
