"""A question to the searches that may answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ragstead.ports.generator import Message


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """What a planner works from.

    Attributes:
        question: The standalone question.
        parts: The questions that it asks, in order.
        missing: Those of them that what was found so far does not answer.
        made: The searches made.
        quotes: The best of what was found.
        messages: The conversation as the caller sent it, oldest first.
        may_leave: Whether all of this may be sent to a hosted model.
        max_queries: Searches wanted, at most.
        max_tokens: What a model may read and write for it.
    """

    question: str
    parts: Sequence[str]
    missing: Sequence[str]
    made: Sequence[str]
    quotes: Sequence[str]
    messages: Sequence[Message]
    may_leave: bool
    max_queries: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to search for.

    Attributes:
        queries: In words; none where nothing else comes to mind.
        by: The model, or `rules`.
        note: Why it is not the model's, where there is one.
        prompt_tokens: What the model read, for nothing too.
        completion_tokens: What it wrote.
    """

    queries: tuple[str, ...]
    by: str
    note: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class Planner(Protocol):
    """Decides what to search for; what it says is words and nothing else: where is searched is not its to say."""

    async def plan(self, request: PlanRequest) -> Plan:
        """Return the searches; it always does, with a model down or talking nonsense too."""
        ...
