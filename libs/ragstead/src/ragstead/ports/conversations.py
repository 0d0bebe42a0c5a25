"""Conversations that the platform keeps for their owners."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

ANONYMOUS = "anonymous"
"""The owner of every conversation where the platform asks for no key."""


@dataclass(frozen=True, slots=True)
class KeptCitation:
    """A citation as it was shown: a `ragstead.model.Citation` whose chunk is named instead of held."""

    n: int
    start: int
    end: int
    mark: int
    document_id: str
    file_id: str
    chunk_id: str
    filename: str
    page: int | None
    quote: str
    quote_start: int
    quote_end: int
    score: float
    verdict: str


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What an answer showed besides its words.

    Attributes:
        collection_id: Where its evidence is from.
        question: The standalone question that was searched.
        refused: Whether it was a refusal.
        reason: Why, or None.
        p_supported: Probability in [0, 1] that the collection answers the question.
        model: What wrote it.
        route: Why that one.
        release: The release's id.
        collection_version: Of the collection then.
        trace_id: Of its receipt.
        citations: In order of `start`.
    """

    collection_id: str
    question: str
    refused: bool
    reason: str | None
    p_supported: float
    model: str
    route: str
    release: str
    collection_version: int
    trace_id: str
    citations: tuple[KeptCitation, ...] = ()


@dataclass(frozen=True, slots=True)
class Turn:
    """A question or an answer of a conversation.

    Attributes:
        number: From 1, in order, without gaps.
        role: Who speaks.
        content: The words; a NUL and a lone surrogate are kept as U+FFFD and `?`.
        created_at: Unix seconds.
        answer: Of the assistant's turns alone.
    """

    number: int
    role: Literal["user", "assistant"]
    content: str
    created_at: int
    answer: KeptAnswer | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its turns.

    Attributes:
        conversation_id: `conv_…`, made by the store, never used again.
        owner: Who may see it.
        title: What its owner calls it; empty until somebody does.
        created_at: Unix seconds.
        updated_at: The same, of the last turn or change.
        turns: How many it has.
        summary: What was said up to turn `summarised`; empty where nothing is summarised.
        summarised: Number of the last turn that the summary covers; 0 for none.
        collections: Ids of the collections that its answers were made from.
    """

    conversation_id: str
    owner: str
    title: str
    created_at: int
    updated_at: int
    turns: int = 0
    summary: str = ""
    summarised: int = 0
    collections: tuple[str, ...] = ()


class Conversations(Protocol):
    """What owners do with their conversations; what is another's is not there."""

    async def find(self, owner: str, conversation_id: str) -> Conversation:
        """Return the conversation.

        Raises:
            NotFound: If the owner has none of that id.
        """
        ...

    async def list(
        self, owner: str, *, limit: int, after: str | None = None, newest_first: bool = True
    ) -> list[Conversation]:
        """Return at most `limit` of the owner's, by time of creation, those that follow the id `after` in that order.

        Raises:
            NotFound: If the owner has none called `after`.
        """
        ...

    async def rename(self, owner: str, conversation_id: str, title: str) -> Conversation:
        """Give it another title, and return it.

        Raises:
            NotFound: If the owner has none of that id.
        """
        ...

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Forget it with its turns and its summary: no row of it stays, and no store of ours still holds its words.

        Raises:
            NotFound: If the owner has none of that id.
        """
        ...


class ConversationTurns(Protocol):
    """How conversations grow."""

    async def begin(self, owner: str, title: str = "") -> Conversation:
        """Return a new conversation without turns."""
        ...

    async def read(
        self, owner: str, conversation_id: str, *, limit: int, after: int = 0, newest_first: bool = False
    ) -> list[Turn]:
        """Return at most `limit` turns that follow turn `after` in the order asked for; 0: from that order's begin.

        Raises:
            NotFound: If the owner has none of that id.
        """
        ...

    async def append(self, owner: str, conversation_id: str, turns: Sequence[Turn], title: str = "") -> Conversation:
        """Add turns, all or none, and return the conversation; `title` is taken where it has none.

        Raises:
            NotFound: If the owner has none of that id.
            Conflict: If the first does not follow the conversation's last turn: somebody was faster.
        """
        ...

    async def summarise(self, owner: str, conversation_id: str, summary: str, summarised: int) -> None:
        """Keep what was said up to turn `summarised`, in place of what was kept before.

        Raises:
            NotFound: If the owner has none of that id.
        """
        ...
