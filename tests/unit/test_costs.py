"""What answers cost: counted by hand, summed over models, and never made up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import pytest

from ragstead.errors import Unavailable
from ragstead.model import Answer, Receipt
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.costs import BilledAnswers, CostBook, Price, PricedChatModel, on_nobodys_bill
from ragstead.ports.chat_model import ChatRequest
from ragstead.ports.generator import Message, Piece

PRICE = Price(3.0, 15.0)
"""1,000 tokens read and 200 written: 0.003 and 0.003 dollars."""
ASKED = ChatRequest((Message("user", "hello"),))


class Counted:
    """A chat model that says one word, and how many tokens that took."""

    name, context_tokens = "counted", 4096

    def __init__(self, read: int = 1000, written: int = 200, fails: int | None = None) -> None:
        self._tokens, self._fails = (read, written), fails

    async def chat(self, request: ChatRequest) -> AsyncIterator[Piece]:
        for n, piece in enumerate([Piece("ahoy"), Piece("", False, "stop", *self._tokens)]):
            if n == self._fails:
                raise Unavailable("generation", "it broke")
            yield piece

    async def count(self, texts: Sequence[str]) -> list[int]:
        return [1 for _ in texts]


class Asking(Answerer):
    """Asks some models, one after the other, and answers."""

    def __init__(self, *models: PricedChatModel, beside: PricedChatModel | None = None) -> None:
        self._models, self._beside = models, beside

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        if self._beside is not None:
            with on_nobodys_bill():
                copy = asyncio.create_task(heard(self._beside))
            await copy
        for model in self._models:
            try:
                async with aclosing(model.chat(ASKED)) as pieces:  # type: ignore[type-var]  (it is a generator)
                    async for piece in pieces:
                        yield piece.text
            except Unavailable:
                yield "down"
        yield Answer("ahoy", (), False, None, 1.0, "stop", Receipt("r", 1, "t", "counted", cost_usd=9.0))


async def heard(model: PricedChatModel) -> list[Piece]:
    return [piece async for piece in model.chat(ASKED)]


def cost(*models: PricedChatModel, beside: PricedChatModel | None = None) -> tuple[float | None, dict[str, float]]:
    book = CostBook()
    answer = asyncio.run(BilledAnswers(Asking(*models, beside=beside), book).answer(AskRequest("how much?")))
    return answer.receipt.cost_usd, dict(book.totals())


def test_price_is_by_the_million_and_by_side() -> None:
    assert PRICE.of(1000, 200) == pytest.approx((0.003, 0.003))
    assert Price(0, 0).of(1, 1) == (0, 0)
    assert PRICE.of(0, 0) is None


def test_last_piece_says_what_it_cost_and_one_without_a_price_nothing() -> None:
    *_, last = asyncio.run(heard(PricedChatModel(Counted(), PRICE)))
    assert last.cost_usd == pytest.approx((0.003, 0.003))
    *_, free = asyncio.run(heard(PricedChatModel(Counted(), None)))
    assert free.cost_usd is None


def test_receipt_has_the_sum_of_all_that_were_asked_and_the_book_has_it_by_model() -> None:
    total, book = cost(PricedChatModel(Counted(), PRICE), PricedChatModel(Counted(500, 0), PRICE))
    assert total == pytest.approx(0.0075)
    assert book == {"counted": pytest.approx(0.0075)}


def test_answer_without_any_model_costs_nothing() -> None:
    assert cost() == (0.0, {})


@pytest.mark.parametrize("unknown", [PricedChatModel(Counted(), None), PricedChatModel(Counted(0, 0), PRICE)])
def test_one_of_whom_nobody_knows_makes_the_sum_unknown_and_the_others_are_booked(unknown: PricedChatModel) -> None:
    total, book = cost(PricedChatModel(Counted(), PRICE), unknown)
    assert total is None
    assert book == {"counted": pytest.approx(0.006)}


def test_model_that_is_down_charges_nothing_and_one_that_breaks_off_nobody_knows_what() -> None:
    assert cost(PricedChatModel(Counted(fails=0), PRICE)) == (0.0, {})
    assert cost(PricedChatModel(Counted(fails=1), PRICE)) == (None, {})


def test_copy_for_another_model_is_in_the_book_and_not_on_the_bill() -> None:
    total, book = cost(PricedChatModel(Counted(), PRICE), beside=PricedChatModel(Counted(), PRICE))
    assert total == pytest.approx(0.006)
    assert book == {"counted": pytest.approx(0.012)}


def test_two_answers_at_once_have_bills_of_their_own() -> None:
    async def both() -> list[float | None]:
        book = CostBook()
        answerers = [BilledAnswers(Asking(*[PricedChatModel(Counted(), PRICE)] * n), book) for n in (1, 3)]
        answers = await asyncio.gather(*(one.answer(AskRequest("how much?")) for one in answerers))
        return [one.receipt.cost_usd for one in answers]

    assert asyncio.run(both()) == pytest.approx([0.006, 0.018])
