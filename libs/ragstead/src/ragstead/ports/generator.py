"""Evidence to words."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ragstead.model import Hit


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation.

    Attributes:
        role: `system`, `user` or `assistant`.
        content: Its words.
    """

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sampling:
    """How to draw tokens; a generator that draws none (the extractive one) heeds the last two alone."""

    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EvidenceSentence:
    """A sentence of the evidence that was found to answer the question.

    Attributes:
        passage: Number of its passage, from 1.
        start: Offset of its first character in the passage's text.
        end: Offset behind its last.
        probability: Probability in [0, 1] that it answers the question.
    """

    passage: int
    start: int
    end: int
    probability: float


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What a generator works from.

    Attributes:
        question: The standalone question.
        passages: The evidence, numbered from 1 in this order by the marks `[n]`.
        sentences: The sentences of the passages that answer, in the order in which they read best.
        messages: The conversation, oldest first, the last turn in the words of its user.
        sampling: How to draw tokens.
        may_leave: Whether the evidence, and the conversation, may be sent to a hosted model.
        affinity: The same for all questions of a conversation, so that one model may answer them all.
        template: Name of the prompt template to write with; None for the configured one.
        private: Whether it belongs to a conversation that its owner may delete, and is written down nowhere else.
    """

    question: str
    passages: Sequence[Hit]
    sentences: Sequence[EvidenceSentence] = ()
    messages: Sequence[Message] = ()
    sampling: Sampling = field(default_factory=Sampling)
    may_leave: bool = False
    affinity: str = ""
    template: str | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer as it comes.

    Attributes:
        text: The words; marks `[n]` in them point at passages.
        ends_sentence: True where a sentence ends with it for sure, whatever its words look like.
        finish_reason: Set on the last piece alone: `stop` or `length`.
        prompt_tokens: Set on the last piece, as the served model counts them.
        completion_tokens: The same for the answer.
        model: Set on the last piece where several might have written it: which did.
        route: The same: why it did.
        cost_usd: Set on the last piece where somebody knows: what reading and what writing cost.
    """

    text: str
    ends_sentence: bool = False
    finish_reason: Literal["stop", "length"] | None = None
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    route: str = ""
    cost_usd: tuple[float, float] | None = None


class Generator(Protocol):
    """Writes an answer from numbered passages; one instance stands for one served model."""

    @property
    def name(self) -> str:
        """The model's name as receipts and `/v1/models` show it."""
        ...

    def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """Yield the answer in pieces, the last of which carries a finish reason.

        An empty answer is an empty last piece. Closing the iterator stops the work behind it.

        Raises:
            Unavailable: While iterated, if the model's server is down.
        """
        ...
