"""Answers that are kept: what they depend on, who computes, what is never kept."""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import AsyncGenerator
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.adapters.cachetools_cache import MemoryCache
from ragstead.errors import NotFound, Unavailable
from ragstead.filters import parse_filter
from ragstead.model import Answer, Chunk, Citation, Collection, Reason, Receipt, StoredChunk, Strategy, Verdict
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.cached_answers import CachedAnswers, CachePlan
from ragstead.ports.cache import Cache
from ragstead.ports.generator import Message, Sampling
from ragstead.ports.tracer import TraceContext

TEXT = "The tide turns at noon."
STORED = StoredChunk(
    7, "a:1:0", "a", "file-1", "a.txt", "Tides", Chunk(0, 0, len(TEXT), TEXT, ("Sea", "Tide"), 3, (9,))
)
CITATION = Citation(1, 0, 22, 23, STORED, TEXT[:-1], 0, len(TEXT) - 1, 0.9, Verdict.SUPPORTED)


class Answerers:
    """Answers, counts, and fails or waits when it is told to."""

    def __init__(self) -> None:
        self.asked: list[AskRequest] = []
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.error: Exception | None = None
        self.route = "configured"
        self.refuses = False
        self.version: int | None = None
        self.closed = 0

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        self.asked.append(request)
        try:
            yield "The tide turns"
            await self.go_on.wait()
            if self.error is not None:
                raise self.error
            yield " at noon [1]."
            receipt = Receipt(
                "r-1", self.version or 5, f"{len(self.asked):032x}", "llama", cost_usd=0.1, route=self.route,
                prompt_tokens=9, timings_ms={"total": 80.0},
            )  # fmt: skip
            if self.refuses:
                yield Answer("I found nothing.", (), True, Reason.LOW_SUPPORT, 0.1, "stop", receipt)
            else:
                yield Answer("The tide turns at noon [1].", (CITATION,), False, None, 0.9, "stop", receipt)
        finally:
            self.closed += 1


class House:
    """A collection that changes, and what answers about it."""

    def __init__(self, cache: Cache | None = None, *, temperature: float = 0.0) -> None:
        self.answerers = Answerers()
        self.collection = Collection("vs_1", "default", 5, "i", "e", 0)
        self.writer = "llama"
        self.release = "r-1"
        kept = MemoryCache(1 << 20, ttl_s=60) if cache is None else cache
        plan = CachePlan(self.release, lambda _r, _c: self.writer, lambda _r: kept, temperature)
        self.cached = CachedAnswers(self.answerers, self.find, plan)

    async def find(self, name: str) -> Collection:
        if name not in {"default", "vs_1"}:
            raise NotFound("collection", name, "there is default")
        return self.collection

    async def ask(self, request: AskRequest) -> Answer:
        return await self.cached.answer(request)

    async def outcomes(self, *requests: AskRequest) -> list[str]:
        return [(await self.ask(request)).receipt.cache for request in requests]


ASKED = AskRequest("when does the tide turn?")


def test_second_answer_is_the_first_with_a_receipt_of_its_own() -> None:
    async def run() -> None:
        house = House()
        first, second = await house.ask(ASKED), await house.ask(ASKED)
        assert (first.receipt.cache, second.receipt.cache) == ("miss", "hit")
        assert len(house.answerers.asked) == 1
        assert replace(second, receipt=first.receipt) == first
        assert second.receipt.trace_id != first.receipt.trace_id
        assert (second.receipt.cost_usd, second.receipt.prompt_tokens, second.receipt.model) == (0.0, 9, "llama")
        assert set(second.receipt.timings_ms) == {"cache", "total"}
        pieces = [piece async for piece in house.cached.stream(ASKED)]
        assert pieces[0] == first.content
        assert isinstance(pieces[1], Answer)

    asyncio.run(run())


@pytest.mark.parametrize(
    "other",
    [
        AskRequest("when does the tide turn"),
        AskRequest("when does the tide turn?", filter=parse_filter({"type": "eq", "key": "year", "value": 2026})),
        AskRequest("when does the tide turn?", k=3),
        AskRequest("when does the tide turn?", template="summary"),
        AskRequest("when does the tide turn?", history_may_leave=False),
        AskRequest("when does the tide turn?", strategy=Strategy.DENSE),
        AskRequest("when does the tide turn?", sampling=Sampling(max_tokens=9)),
        AskRequest("when does the tide turn?", sampling=Sampling(seed=1)),
        AskRequest("when does the tide turn?", messages=(Message("user", "hello"), Message("user", ASKED.question))),
    ],
)
def test_what_an_answer_depends_on_stands_in_the_key(other: AskRequest) -> None:
    async def run() -> None:
        house = House()
        assert await house.outcomes(ASKED, other, ASKED, other) == ["miss", "miss", "hit", "hit"]

    asyncio.run(run())


def test_answer_of_a_conversation_that_may_be_deleted_is_neither_kept_nor_taken_from_what_is() -> None:
    async def run() -> None:
        house = House()
        private = replace(ASKED, private=True)
        assert await house.outcomes(private, private, ASKED, private, ASKED) == ["off", "off", "miss", "off", "hit"]
        assert len(house.answerers.asked) == 4

    asyncio.run(run())


def test_other_owner_is_shown_what_is_kept() -> None:
    async def run() -> None:
        assert await House().outcomes(ASKED, replace(ASKED, owner="key-b")) == ["miss", "hit"]

    asyncio.run(run())


def test_every_field_of_a_request_is_in_the_key_or_said_not_to_be() -> None:
    kept_by_the_server = {"owner", "conversation_id", "private"}
    told = {"question", "messages", "collection", "affinity", "release", "trace", *kept_by_the_server}
    keyed = {"filter", "k", "strategy", "sampling", "template", "history_may_leave", "agent"}
    assert {one.name for one in fields(AskRequest)} - told == keyed


@pytest.mark.parametrize(
    "same",
    [
        AskRequest("  when does\tthe tide\n turn? "),
        AskRequest("when does the tide turn?", collection="vs_1"),
        AskRequest("when does the tide turn?", affinity="somebody else"),
        AskRequest("when does the tide turn?", messages=(Message("user", "when does the tide turn?"),)),
    ],
)
def test_what_makes_no_difference_does_not(same: AskRequest) -> None:
    async def run() -> None:
        assert await House().outcomes(ASKED, same) == ["miss", "hit"]

    asyncio.run(run())


@given(st.text(max_size=20), st.text(max_size=20))
def test_questions_share_an_answer_exactly_if_their_words_are_the_same(one: str, other: str) -> None:
    async def run() -> None:
        first, second = AskRequest(f"a {one}"), AskRequest(f"a {other}")
        expected = "hit" if normal(first.question) == normal(second.question) else "miss"
        assert await House().outcomes(first, second) == ["miss", expected]

    def normal(text: str) -> str:
        return unicodedata.normalize("NFC", " ".join(text.split()))

    asyncio.run(run())


def test_change_of_the_collection_its_egress_the_model_or_the_collection_itself_is_a_miss() -> None:
    async def run() -> None:
        house = House()
        await house.ask(ASKED)
        house.collection = replace(house.collection, version=6)
        house.answerers.version = 6
        assert await house.outcomes(ASKED, ASKED) == ["miss", "hit"]
        house.collection = replace(house.collection, metadata={"egress": "allow"})
        assert await house.outcomes(ASKED) == ["miss"]
        house.writer = "other"
        assert await house.outcomes(ASKED) == ["miss"]
        house.collection = replace(house.collection, collection_id="vs_2")
        assert await house.outcomes(ASKED) == ["miss"]

    asyncio.run(run())


def test_one_computes_while_the_same_question_waits() -> None:
    async def run() -> None:
        house = House()
        house.answerers.go_on.clear()
        asking = [asyncio.create_task(house.ask(replace(ASKED, trace=TraceContext()))) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        house.answerers.go_on.set()
        answers = await asyncio.gather(*asking)
        assert len(house.answerers.asked) == 1
        assert sorted(answer.receipt.cache for answer in answers) == ["hit"] * 19 + ["miss"]
        assert len({answer.receipt.trace_id for answer in answers}) == 20

    asyncio.run(run())


def test_one_who_leaves_passes_the_work_on() -> None:
    async def run() -> None:
        house = House()
        house.answerers.go_on.clear()
        first = asyncio.create_task(house.ask(ASKED))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(house.ask(ASKED)) for _ in range(3)]
        await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.sleep(0.01)
        house.answerers.go_on.set()
        answers = await asyncio.gather(*others)
        assert (len(house.answerers.asked), house.answerers.closed) == (2, 2)
        assert sorted(answer.receipt.cache for answer in answers) == ["hit", "hit", "miss"]

    asyncio.run(run())


def test_one_who_leaves_while_waiting_hurts_nobody() -> None:
    async def run() -> None:
        house = House()
        house.answerers.go_on.clear()
        first = asyncio.create_task(house.ask(ASKED))
        await asyncio.sleep(0.01)
        second, third = asyncio.create_task(house.ask(ASKED)), asyncio.create_task(house.ask(ASKED))
        await asyncio.sleep(0.01)
        second.cancel()
        await asyncio.sleep(0.01)
        house.answerers.go_on.set()
        assert [(await first).receipt.cache, (await third).receipt.cache] == ["miss", "hit"]

    asyncio.run(run())


def test_error_is_everybodys_own() -> None:
    async def run() -> None:
        house = House()
        house.answerers.error = Unavailable("vectors", "it is down")
        outcomes = await asyncio.gather(*(house.ask(ASKED) for _ in range(3)), return_exceptions=True)
        assert all(isinstance(one, Unavailable) for one in outcomes)
        house.answerers.error = None
        assert await house.outcomes(ASKED) == ["miss"]

    asyncio.run(run())


def test_answer_of_a_fallback_or_of_a_newer_version_is_not_kept() -> None:
    async def run() -> None:
        house = House()
        house.answerers.route = "rule: nights; fallback: llama is down"
        assert await house.outcomes(ASKED, ASKED) == ["miss", "miss"]
        house.answerers.route = "configured"
        house.answerers.version = 6  # the collection changed between look-up and retrieval
        assert await house.outcomes(ASKED, ASKED) == ["miss", "miss"]

    asyncio.run(run())


def test_refusal_is_an_answer() -> None:
    async def run() -> None:
        house = House()
        house.answerers.refuses = True
        first, second = await house.ask(ASKED), await house.ask(ASKED)
        assert (second.refused, second.reason, second.content, second.receipt.cache) == (
            True, Reason.LOW_SUPPORT, first.content, "hit",
        )  # fmt: skip

    asyncio.run(run())


def test_what_is_drawn_at_random_is_drawn_again() -> None:
    async def run() -> None:
        warm = AskRequest(ASKED.question, sampling=Sampling(temperature=0.8))
        seeded = AskRequest(ASKED.question, sampling=Sampling(temperature=0.8, seed=4))
        assert await House().outcomes(warm, warm, seeded, seeded) == ["off", "off", "miss", "hit"]
        assert await House(temperature=0.5).outcomes(ASKED, ASKED) == ["off", "off"]
        cold = AskRequest(ASKED.question, sampling=Sampling(temperature=0))
        assert await House(temperature=0.5).outcomes(cold, cold) == ["miss", "hit"]

    asyncio.run(run())


class Odd:
    """A cache that holds what it was never given."""

    async def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        return [b'{"content": 3}' for _ in keys]

    async def set_many(self, values: dict[bytes, bytes]) -> None:
        pass


def test_bytes_of_somebody_else_are_a_miss() -> None:
    async def run() -> None:
        assert await House(Odd()).outcomes(ASKED, ASKED) == ["miss", "miss"]  # type: ignore[arg-type]

    asyncio.run(run())


def test_lone_surrogates_are_answered_and_not_kept() -> None:
    async def run() -> None:
        house = House()
        odd = AskRequest("when \ud800?")
        assert await house.outcomes(odd) == ["miss"]

    asyncio.run(run())


def test_collection_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        asyncio.run(House().ask(AskRequest("when?", collection="none")))
