"""The two lanes before an encoder: who goes first, what is dropped, what is refused, and that every row comes back."""

import asyncio
import threading
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import Overloaded, Unavailable
from ragstead.pipelines.encode_queue import BULK, INTERACTIVE, EncodeQueue, PassLength, QueueLimits
from ragstead.ports.embedding_events import EmbeddingRelay
from ragstead.ports.encoder import Breathe
from ragstead.testing.fakes import HashEncoder, InlinePool

LIMITS = QueueLimits(2, 40, 0, interactive_tokens=20, max_waiting_tokens=10_000)
QUESTION = [[0, 7, 1]]
BOOK = [[0, *[9] * 8, 1]] * 100
POISON = 13


class SlowEncoder(HashEncoder):
    """Takes its time, remembers its passes, and fails on one id."""

    def __init__(self, pass_s: float = 0.0) -> None:
        super().__init__(max_tokens=512)
        self._pass_s = pass_s
        self._lock = threading.Lock()
        self.passes: list[list[Sequence[int]]] = []

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> np.ndarray:
        time.sleep(self._pass_s)
        with self._lock:
            self.passes.append(list(rows))
        if any(POISON in row for row in rows):
            raise Unavailable("embedding", "it broke")
        return super().encode(rows, breathe)


class Heard(EmbeddingRelay):
    """Remembers lanes and what waited."""

    def __init__(self) -> None:
        super().__init__()
        self.lanes: list[str] = []
        self.waiting: list[int] = []

    def began(self, lane: str, waited_s: float) -> None:
        assert waited_s >= 0
        self.lanes.append(lane)

    def queued(self, tokens: int) -> None:
        self.waiting.append(tokens)


@pytest.fixture
def pool():
    made = ThreadWorkPool(3)
    yield made
    made.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.lists(st.integers(14, 99), min_size=1, max_size=50), max_size=12), max_size=6))
def test_each_row_comes_back_in_its_place(requests: list[list[list[int]]]) -> None:
    async def check() -> None:
        heard = Heard()
        encoder = SlowEncoder()
        queue = EncodeQueue(encoder, InlinePool(), LIMITS, heard)
        found = await asyncio.gather(*(queue.encode(rows) for rows in requests))
        for rows, vectors in zip(requests, found, strict=True):
            assert vectors.shape == (len(rows), encoder.dim)
            assert np.allclose(vectors, HashEncoder().encode(rows))
        assert sorted(map(tuple, (row for one in encoder.passes for row in one))) == sorted(
            tuple(row) for rows in requests for row in rows
        )
        assert all(len(one) == 1 or max(map(len, one)) * len(one) <= 40 for one in encoder.passes)
        assert not heard.waiting or heard.waiting[-1] == 0
        assert len(heard.lanes) == sum(any(rows) for rows in requests)

    asyncio.run(check())


def test_question_overtakes_a_book(pool: ThreadWorkPool) -> None:
    async def check() -> None:
        heard = Heard()
        encoder = SlowEncoder(0.01)
        queue = EncodeQueue(encoder, pool, LIMITS, heard)
        book = asyncio.create_task(queue.encode(BOOK))
        await asyncio.sleep(0.03)
        before = len(encoder.passes)
        await queue.encode(QUESTION)
        assert not book.done()
        assert len(encoder.passes) - before <= 4  # its own, and those that ran beside it
        await book
        assert heard.lanes == [BULK, INTERACTIVE]

    asyncio.run(check())


def test_questions_do_not_starve_a_book(pool: ThreadWorkPool) -> None:
    async def check() -> None:
        encoder = SlowEncoder(0.001)
        queue = EncodeQueue(encoder, pool, LIMITS)
        over = asyncio.Event()

        async def ask() -> None:
            while not over.is_set():
                await queue.encode(QUESTION)

        askers = [asyncio.create_task(ask()) for _ in range(16)]
        await asyncio.wait_for(queue.encode(BOOK), 10)
        over.set()
        await asyncio.gather(*askers)

    asyncio.run(check())


def test_books_take_turns(pool: ThreadWorkPool) -> None:
    async def check() -> None:
        encoder = SlowEncoder(0.002)
        queue = EncodeQueue(encoder, pool, LIMITS)
        first, second = ([[0, *[word] * 8, 1]] * 60 for word in (20, 30))
        await asyncio.gather(queue.encode(first), queue.encode(second))
        words = [one[0][1] for one in encoder.passes]
        assert 20 in words[:6]
        assert 30 in words[:6]

    asyncio.run(check())


def test_what_a_caller_who_left_waited_for_is_dropped(pool: ThreadWorkPool) -> None:
    async def check() -> None:
        heard = Heard()
        encoder = SlowEncoder(0.01)
        queue = EncodeQueue(encoder, pool, LIMITS, heard)
        book = asyncio.create_task(queue.encode(BOOK))
        await asyncio.sleep(0.03)
        book.cancel()
        with pytest.raises(asyncio.CancelledError):
            await book
        assert heard.waiting[-1] == 0
        await queue.encode(QUESTION)
        assert len(encoder.passes) < 12  # of the 25 that the book has

    asyncio.run(check())


def test_too_much_is_refused_and_one_large_request_is_not(pool: ThreadWorkPool) -> None:
    async def check() -> None:
        queue = EncodeQueue(
            SlowEncoder(0.005), pool, QueueLimits(2, 40, 0, interactive_tokens=20, max_waiting_tokens=500)
        )
        book = asyncio.create_task(queue.encode(BOOK))
        await asyncio.sleep(0.01)
        with pytest.raises(Overloaded, match="tokens wait"):
            await queue.encode(BOOK)
        assert len(await book) == 100
        assert len(await queue.encode(BOOK)) == 100

    asyncio.run(check())


def test_failure_meets_those_alone_whose_rows_were_in_the_pass(pool: ThreadWorkPool) -> None:
    async def check() -> None:
        queue = EncodeQueue(SlowEncoder(0.001), pool, LIMITS)
        bad = [[0, *[POISON] * 30, 1]] * 3
        outcomes = await asyncio.gather(queue.encode(BOOK), queue.encode(bad), return_exceptions=True)
        assert isinstance(outcomes[1], Unavailable)
        assert not isinstance(outcomes[0], BaseException)
        assert len(await queue.encode(QUESTION)) == 1

    asyncio.run(check())


def test_closed_pool_is_told_and_hangs_nobody() -> None:
    async def check() -> None:
        pool = ThreadWorkPool(1)
        queue = EncodeQueue(SlowEncoder(), pool, LIMITS)
        pool.close()
        with pytest.raises(RuntimeError):
            await queue.encode(QUESTION)

    asyncio.run(check())


def test_passes_become_as_long_as_the_models_pace_allows() -> None:
    length = PassLength(QueueLimits(pass_tokens=512, pass_s=0.04))
    for _ in range(60):
        length.took(length.tokens, length.tokens / 100_000)
    assert 3_900 <= length.tokens <= 4_000  # a GPU that reads 100 tokens a millisecond
    for _ in range(60):
        length.took(length.tokens, length.tokens / 3_000)
    assert 110 <= length.tokens <= 130  # a large model on a processor: 3 a millisecond
    length.took(10, 10.0)
    assert 110 <= length.tokens <= 130  # a short pass says nothing of the pace


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 100))))
def test_passes_stay_within_bounds_whatever_they_took(passes: list[tuple[int, float]]) -> None:
    length = PassLength(QueueLimits(pass_tokens=512))
    for tokens, seconds in passes:
        length.took(tokens, seconds)
        assert 64 <= length.tokens <= 32_768


def test_long_job_on_a_slow_model_is_cut_into_shorter_passes() -> None:
    class Slow(SlowEncoder):
        def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> np.ndarray:
            time.sleep(sum(map(len, rows)) / 5_000)
            return super().encode(rows, breathe)

    async def check() -> None:
        encoder = Slow()
        queue = EncodeQueue(encoder, InlinePool(), QueueLimits(1, pass_tokens=500, pass_s=0.02))
        await queue.encode(BOOK * 3)
        assert sum(map(len, encoder.passes[0])) == 500
        assert sum(map(len, encoder.passes[-2])) <= 160

    asyncio.run(check())


def test_bulk_passes_run_in_the_pool_that_gives_way_and_questions_never_do() -> None:
    class Counting(InlinePool):
        def __init__(self) -> None:
            self.lengths: list[int] = []

        async def run(self, work):
            found = work()
            self.lengths.append(len(found))
            await asyncio.sleep(0)
            return found

    async def check() -> None:
        front, back = Counting(), Counting()
        queue = EncodeQueue(SlowEncoder(), front, LIMITS, bulk_pool=back)
        await asyncio.gather(
            queue.encode(BOOK), *(queue.encode(QUESTION) for _ in range(5)), queue.encode(QUESTION * 2)
        )
        assert sum(back.lengths) == len(BOOK)
        assert sum(front.lengths) == 7

    asyncio.run(check())


def test_question_during_bulk_work_is_encoded_where_it_is_if_it_is_short_enough() -> None:
    class Where(HashEncoder):
        def __init__(self) -> None:
            super().__init__(max_tokens=512)
            self.threads: dict[int, str] = {}

        def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> np.ndarray:
            self.threads[len(rows[0])] = threading.current_thread().name
            time.sleep(0.02 if len(rows) > 1 else 0)
            return super().encode(rows, breathe)

    async def check() -> None:
        encoder, pool = Where(), ThreadWorkPool(3)
        limits = QueueLimits(2, pass_tokens=100, pass_s=0.02, inline_s=0.004)  # 20 tokens are worth 4 ms
        queue = EncodeQueue(encoder, pool, limits)
        await queue.encode([[0, 7, 1]])
        assert encoder.threads.pop(3) != threading.main_thread().name  # nothing else runs: a thread does it
        bulk = asyncio.create_task(queue.encode(BOOK * 3))
        await asyncio.sleep(0.01)
        short, long = await asyncio.gather(queue.encode([[0, 7, 1]]), queue.encode([[0, *[7] * 60, 1]]))
        assert np.allclose([short[0], long[0]], HashEncoder().encode([[0, 7, 1], [0, *[7] * 60, 1]]))
        assert encoder.threads[3] == threading.main_thread().name
        assert encoder.threads[62] != threading.main_thread().name
        await bulk
        pool.close()

    asyncio.run(check())
