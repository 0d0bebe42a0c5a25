"""Kept conversations over fakes: what the answerer is told, and what happens when somebody else is faster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

import pytest

from ragstead.errors import Conflict, NotFound, RagsteadError, Unavailable
from ragstead.model import Answer, Collection, Receipt
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.converse import ConversationPipeline, title_of
from ragstead.pipelines.recall import Memory
from ragstead.ports.conversations import ANONYMOUS
from ragstead.ports.generator import Message
from ragstead.testing.conversations import MemoryConversations


class Answers:
    """Says yes; does something first, or fails."""

    def __init__(self) -> None:
        self.asked: list[AskRequest] = []
        self.meanwhile: Callable[[], Awaitable[Any]] | None = None
        self.error: RagsteadError | None = None

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        self.asked.append(request)
        yield "Yes"
        if self.meanwhile is not None:
            await self.meanwhile()
        if self.error is not None:
            raise self.error
        yield Answer(
            "Yes.", (), False, None, 0.9, "stop", Receipt("r-1", 1, "0" * 32, "tiny", timings_ms={"total": 2.0})
        )


async def collection(name: str) -> Collection:
    """Two collections, one of which may leave."""
    if name not in {"closed", "open"}:
        raise NotFound("collection", name)
    return Collection(name, name, 1, "i", "e", 0, {"egress": "allow"} if name == "open" else {})


class House:
    """A pipeline and a second one on the same store, as another gateway has it."""

    def __init__(self) -> None:
        self.store, self.answers = MemoryConversations(), Answers()
        self.first, self.second = [self.pipeline() for _ in range(2)]

    def pipeline(self) -> ConversationPipeline:
        memory = Memory(None, 1000, self.store)
        return ConversationPipeline(self.answers, memory, collection, self.store, self.store, lambda: 7.9)

    async def begin(self) -> str:
        return (await self.store.begin(ANONYMOUS)).conversation_id

    async def said(self, conversation_id: str) -> list[str]:
        return [one.content for one in await self.store.read(ANONYMOUS, conversation_id, limit=99)]


def asked(question: str, conversation_id: str, collection: str = "closed") -> AskRequest:
    return AskRequest(question, collection, (Message("user", question),), conversation_id=conversation_id)


def run(work: Callable[[House], Awaitable[None]]) -> None:
    asyncio.run(work(House()))  # type: ignore[arg-type]


def test_answerer_hears_history_affinity_and_that_nothing_may_be_kept_elsewhere() -> None:
    async def work(house: House) -> None:
        conversation_id = await house.begin()
        await house.first.answer(asked("When does the harbour close?", conversation_id))
        answer = await house.first.answer(asked("Why?", conversation_id))
        first, second = house.answers.asked
        assert [one.content for one in second.messages] == ["When does the harbour close?", "Yes.", "Why?"]
        assert second.question == answer.receipt.question == "Why? (harbour close)"
        assert (first.affinity, second.affinity) == (conversation_id, conversation_id)
        assert [one.private for one in house.answers.asked] == [True, True]
        kept = await house.store.read(ANONYMOUS, conversation_id, limit=9)
        assert [one.created_at for one in kept] == [7, 7, 7, 7]
        assert kept[3].answer is not None
        assert kept[3].answer.question == "Why? (harbour close)"

    run(work)


def test_gateway_that_was_slower_says_so_and_adds_nothing() -> None:
    async def work(house: House) -> None:
        conversation_id = await house.begin()

        async def other() -> None:
            house.answers.meanwhile = None
            await house.second.answer(asked("When?", conversation_id))

        house.answers.meanwhile = other
        with pytest.raises(Conflict, match="has grown meanwhile"):
            await house.first.answer(asked("Who?", conversation_id))
        assert await house.said(conversation_id) == ["When?", "Yes."]

    run(work)


def test_conversation_deleted_while_it_answers_is_not_made_again() -> None:
    async def work(house: House) -> None:
        conversation_id = await house.begin()
        house.answers.meanwhile = lambda: house.store.delete(ANONYMOUS, conversation_id)
        with pytest.raises(NotFound):
            await house.first.answer(asked("Who?", conversation_id))
        assert await house.store.list(ANONYMOUS, limit=9) == []

    run(work)


def test_failure_keeps_nothing_and_lets_the_next_turn_in() -> None:
    async def work(house: House) -> None:
        conversation_id = await house.begin()
        house.answers.error = Unavailable("generation", "it broke off")
        with pytest.raises(Unavailable):
            await house.first.answer(asked("Who?", conversation_id))
        stream = house.first.stream(asked("Who?", conversation_id))
        assert await anext(stream) == "Yes"
        with pytest.raises(Conflict, match="answering another turn"):
            await house.first.answer(asked("When?", conversation_id))
        await stream.aclose()  # the client hangs up
        house.answers.error = None
        await house.first.answer(asked("When?", conversation_id))
        assert await house.said(conversation_id) == ["When?", "Yes."]

    run(work)


def test_history_may_leave_only_while_every_collection_of_it_says_so() -> None:
    async def work(house: House) -> None:
        pure, mixed = [await house.begin() for _ in range(2)]
        for conversation_id, collection in ((pure, "open"), (mixed, "closed"), (pure, "open"), (mixed, "open")):
            await house.first.answer(asked("Who closes the harbour?", conversation_id, collection))
        assert (await house.store.find(ANONYMOUS, mixed)).collections == ("closed", "open")
        assert [one.history_may_leave for one in house.answers.asked] == [True, False, True, False]

    run(work)


def test_history_that_the_client_sends_is_private_to_nobody() -> None:
    async def work(house: House) -> None:
        turns = (
            Message("user", "When does the harbour close?"),
            Message("assistant", "At six."),
            Message("user", "Why?"),
        )
        answer = await house.first.answer(AskRequest("Why?", "closed", turns))
        (one,) = house.answers.asked
        assert (one.private, one.messages, one.question) == (False, turns, "Why? (harbour close)")
        assert answer.receipt.condensed_by == "rules"
        assert answer.receipt.timings_ms["total"] >= 2.0

    run(work)


def test_title_is_the_first_question_on_one_line() -> None:
    assert title_of("  a\n b ") == "a b"
    assert title_of("x" * 200) == "x" * 79 + "…"
