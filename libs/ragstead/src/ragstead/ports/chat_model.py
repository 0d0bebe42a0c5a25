"""A conversation to words, by a language model."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ragstead.ports.generator import Message, Piece, Sampling


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a model is asked.

    Attributes:
        messages: The conversation, oldest first, instructions among them.
        sampling: How to draw tokens.
    """

    messages: Sequence[Message]
    sampling: Sampling = field(default_factory=Sampling)


class ChatModel(Protocol):
    """Continues conversations; one instance stands for one model at one server."""

    @property
    def name(self) -> str:
        """The model's name as receipts and `/v1/models` show it."""
        ...

    @property
    def context_tokens(self) -> int:
        """Tokens of conversation and answer together that the model reads."""
        ...

    def chat(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """Yield the answer in pieces as they are made, the last of which carries a finish reason and the usage.

        Closing the iterator stops the server's work on it. What the server did not count is 0 in the usage.

        Raises:
            InvalidRequest: While iterated, if the conversation is over the model's length.
            Overloaded: If the server has too much to do.
            Unavailable: If it can't be reached, is silent for too long, breaks off, or answers nonsense.
        """
        ...

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return the tokens of each text, as the model counts them where its server says so; else no fewer.

        Raises:
            Unavailable: If the server can't be reached.
        """
        ...
