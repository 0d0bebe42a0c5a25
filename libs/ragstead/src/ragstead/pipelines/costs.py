"""What answers cost: the prices of models, and a bill for all that were asked on the way to one answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace

from ragstead.errors import InvalidRequest, Overloaded, Unavailable
from ragstead.model import Answer
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.ports.chat_model import ChatModel, ChatRequest
from ragstead.ports.generator import Piece
from ragstead.streams import closing

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Price:
    """What a model's tokens cost.

    Attributes:
        input_usd_per_million: Of those that it reads.
        output_usd_per_million: Of those that it writes.
    """

    input_usd_per_million: float
    output_usd_per_million: float

    def of(self, read: int, written: int) -> tuple[float, float] | None:
        """Return what reading and what writing cost, in dollars; None where nobody counted the tokens."""
        if not read and not written:
            return None
        return read * self.input_usd_per_million / _MILLION, written * self.output_usd_per_million / _MILLION


class CostBook:
    """What each model that has a price has cost since the start."""

    def __init__(self) -> None:
        self._usd: dict[str, float] = {}

    def add(self, model: str, usd: float) -> None:
        """Book dollars."""
        self._usd[model] = self._usd.get(model, 0.0) + usd

    def totals(self) -> Mapping[str, float]:
        """Return the dollars by model; models that were never paid for are left out."""
        return dict(self._usd)


class Bill:
    """What the models cost that were asked for one answer.

    Args:
        book: Hears of each amount, too.
    """

    def __init__(self, book: CostBook) -> None:
        self.book = book
        self.usd: float | None = 0.0
        """All of it; None where a model had a hand in it of which nobody knows what it cost."""

    def add(self, model: str, cost: tuple[float, float] | None) -> None:
        """Book what a model cost for reading and writing; None where nobody knows."""
        if cost is None:
            self.usd = None
            return
        self.book.add(model, sum(cost))
        if self.usd is not None:
            self.usd += sum(cost)


_bill: ContextVar[Bill | None] = ContextVar("ragstead_bill", default=None)


@contextmanager
def on_nobodys_bill() -> Iterator[None]:
    """Have what is begun in a block, tasks among it, cost what it costs, and no answer anything."""
    bill = _bill.get()
    token = _bill.set(None if bill is None else Bill(bill.book))
    try:
        yield
    finally:
        _bill.reset(token)


class PricedChatModel:
    """Is a `ChatModel` whose last piece says what it cost, and that puts this on the bill of the answer it is for.

    A model that failed before its first words charged nothing; of one that was hung up on nobody knows.

    Args:
        model: What writes.
        price: Of its tokens; None where nobody knows.
    """

    def __init__(self, model: ChatModel, price: Price | None) -> None:
        self._model = model
        self._price = price

    @property
    def name(self) -> str:
        """The model's own."""
        return self._model.name

    @property
    def context_tokens(self) -> int:
        """The model's own."""
        return self._model.context_tokens

    async def chat(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """Yield the model's pieces, and raise what it raises."""
        bill, begun, settled = _bill.get(), False, False
        try:
            async with aclosing(closing(self._model.chat(request))) as pieces:
                async for piece in pieces:
                    begun = True
                    if piece.finish_reason is None:
                        yield piece
                        continue
                    cost, settled = self._cost(piece), True
                    if bill is not None:
                        bill.add(self.name, cost)
                    yield replace(piece, cost_usd=cost)
        except (InvalidRequest, Overloaded, Unavailable):
            settled = settled or not begun
            raise
        finally:
            if bill is not None and not settled:
                bill.add(self.name, None)

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return the model's counts, and raise what it raises."""
        return await self._model.count(texts)

    def _cost(self, last: Piece) -> tuple[float, float] | None:
        return None if self._price is None else self._price.of(last.prompt_tokens, last.completion_tokens)


class BilledAnswers(Answerer):
    """Is an `Answerer` on whose receipts stands what all models cost that had a hand in the answer.

    Args:
        answerer: Answers.
        book: Hears of each amount.
    """

    def __init__(self, answerer: Answerer, book: CostBook) -> None:
        self._answerer = answerer
        self._book = book

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield what the answerer yields, and raise what it raises."""
        bill = Bill(self._book)
        async with aclosing(_billed(self._answerer.stream(request), bill)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    yield replace(piece, receipt=replace(piece.receipt, cost_usd=bill.usd))
                else:
                    yield piece


async def _billed(pieces: AsyncGenerator[str | Answer, None], bill: Bill) -> AsyncGenerator[str | Answer, None]:
    """Yield the pieces, each made while the bill is open; between them, and elsewhere, it is not."""
    try:
        while True:
            token = _bill.set(bill)
            try:
                piece = await anext(pieces)
            except StopAsyncIteration:
                return
            finally:
                _bill.reset(token)
            yield piece
    finally:
        token = _bill.set(bill)
        try:
            await pieces.aclose()
        finally:
            _bill.reset(token)
