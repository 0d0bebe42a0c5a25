"""What of a conversation goes with its next question: a question that stands alone, and a history that fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragstead.marks import without_marks
from ragstead.memory import Kind, accepted, kind_of_question, latest_that_fit, standalone_of
from ragstead.pipelines.dialogue import DialogueModel
from ragstead.pipelines.plan import RULES
from ragstead.ports.conversations import Conversation, ConversationTurns, Turn
from ragstead.ports.generator import Message
from ragstead.prompting import transcript
from ragstead.token_estimates import estimated_tokens

_CONDENSE_TOKENS = 96
_SUMMARY_TOKENS = 320
_CONDENSE_TURNS = 8
_CONDENSE_CHARS = 1200
_MOST_TURNS = 200
"""Turns that are read from the store; what lies before them is not remembered, unless it was summed up."""
_RECENT_TURNS = 12
"""Turns that a follow-up may go back to."""


@dataclass(frozen=True, slots=True)
class Standalone:
    """A question that can be understood alone.

    Attributes:
        question: In words.
        by: What made it so: a model's name, `rules`, or nothing where these are the caller's own words.
    """

    question: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class Recalled:
    """What is remembered of a kept conversation.

    Attributes:
        history: For the model that answers: a summary and the latest turns, as far as they fit.
        recent: The last turns as they were, oldest first.
    """

    history: tuple[Message, ...] = ()
    recent: tuple[Message, ...] = ()


class Memory:
    """Condenses follow-ups and keeps histories within their budget.

    Args:
        model: Does both; None for the rules and a window of the latest turns.
        max_tokens: Of a history, as `estimated_tokens` counts them.
        turns: Where the turns of kept conversations are.
    """

    def __init__(self, model: DialogueModel | None, max_tokens: int, turns: ConversationTurns) -> None:
        self._model = model
        self._max_tokens = max_tokens
        self._turns = turns

    @property
    def leaves(self) -> bool:
        """Whether its model is hosted, so that somebody has to say whether it may read a conversation."""
        return self._model is not None and self._model.leaves

    async def condense(self, question: str, earlier: Sequence[Message], *, may_leave: bool) -> Standalone:
        """Return the question as it stands alone; one that does so already is returned as it is, and no model asked.

        Args:
            question: The newest one.
            earlier: Turns before it, oldest first.
            may_leave: Whether a hosted model may read them.
        """
        said = [one for one in earlier if one.role != "system" and one.content.strip()]
        kind = kind_of_question(question)
        if kind is Kind.STANDALONE or not any(one.role == "user" for one in said):
            return Standalone(question)
        written = await self._rewritten(question, said, kind) if self._may_ask(may_leave=may_leave) else None
        if written is not None and self._model is not None:
            return Standalone(question) if written == question else Standalone(written, self._model.name)
        ruled = standalone_of(question, said)
        return Standalone(ruled, RULES if ruled != question else "")

    async def recall(self, conversation: Conversation, *, may_leave: bool) -> Recalled:
        """Return what was said, as far as it fits: all of it, or a summary and the latest turns, or these alone.

        A new summary is kept with the conversation, so that the next one takes up from it.
        """
        wanted = max(_RECENT_TURNS, min(conversation.turns - conversation.summarised, _MOST_TURNS))
        newest = await self._turns.read(
            conversation.owner, conversation.conversation_id, limit=wanted, newest_first=True
        )
        turns = newest[::-1]
        later: Sequence[Turn] = [one for one in turns if one.number > conversation.summarised]
        summary = conversation.summary
        if not self._fits(later, summary) and self._may_ask(may_leave=may_leave):
            summary, later = await self._shortened(conversation, later)
        spoken = [_message(one) for one in later]
        fit = latest_that_fit(spoken, self._room(summary))
        history = (*_as_messages(summary), *(spoken[-fit:] if fit else ()))
        return Recalled(history, tuple(_message(one) for one in turns[-_RECENT_TURNS:]))

    def _fits(self, turns: Sequence[Turn], summary: str) -> bool:
        return latest_that_fit([_message(one) for one in turns], self._room(summary)) == len(turns)

    async def _shortened(self, conversation: Conversation, later: Sequence[Turn]) -> tuple[str, Sequence[Turn]]:
        """Return a new summary of all but the latest turns, and these; the old one and all where the model fails."""
        kept = latest_that_fit([_message(one) for one in later], self._max_tokens // 2)
        older = later[: len(later) - kept]
        written = await self._summed_up(conversation.summary, older)
        if written is None:
            return conversation.summary, later
        last = older[-1].number
        await self._turns.summarise(conversation.owner, conversation.conversation_id, written, last)
        return written, later[len(older) :]

    def _may_ask(self, *, may_leave: bool) -> bool:
        return self._model is not None and self._model.may_read(may_leave=may_leave)

    def _room(self, summary: str) -> int:
        return self._max_tokens - (estimated_tokens(summary) if summary else 0)

    async def _rewritten(self, question: str, said: Sequence[Message], kind: Kind) -> str | None:
        assert self._model is not None
        recent = [Message(one.role, one.content[:_CONDENSE_CHARS]) for one in said[-_CONDENSE_TURNS:]]
        text = await self._model.write(
            "condense", _CONDENSE_TOKENS, conversation=transcript(recent), question=" ".join(question.split())
        )
        return None if text is None else accepted(text, question, said, keep_all=kind is Kind.OPEN)

    async def _summed_up(self, summary: str, older: Sequence[Turn]) -> str | None:
        """Return what was said before and in these turns, or None; of too many turns the latest are read."""
        assert self._model is not None
        readable = 3 * max(self._model.model.context_tokens // 2, 128)
        text = transcript([_message(one) for one in older])[-readable:]
        written = await self._model.write("summarise", _SUMMARY_TOKENS, summary=summary, conversation=text)
        return None if written is None else written[: 3 * self._max_tokens // 2]


def _message(turn: Turn) -> Message:
    """Return a turn as a model is to read it: its marks pointed at passages that are no longer there."""
    return Message(turn.role, without_marks(turn.content) if turn.role == "assistant" else turn.content)


def _as_messages(summary: str) -> tuple[Message, ...]:
    """Return a summary as an exchange: models want turns that alternate, and it must not speak as the system."""
    if not summary:
        return ()
    return Message("user", f"What we said before, in short: {summary}"), Message("assistant", "Understood.")
