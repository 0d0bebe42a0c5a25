"""Who is in a hurry holds long work, within bounds."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.adapters.right_of_way import ThreadRightOfWay
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import Unavailable
from ragstead.pipelines.embed import EmbedPipeline
from ragstead.pipelines.encode_queue import EncodeQueue, QueueLimits
from ragstead.ports.embedder import EmbedRequest
from ragstead.ports.encoder import Breathe
from ragstead.testing.fakes import HashEncoder, InlinePool

LONG_S = 60.0
LIMITS = QueueLimits(2, 40, 0, inline_s=0, interactive_tokens=20)
BOOK = [[0, *[9] * 8, 1]] * 100


class Watched(ThreadRightOfWay):
    """Counts who asked, and who was let by."""

    def __init__(self, longest_s: float = LONG_S) -> None:
        super().__init__(longest_s)
        self.asked = self.passed = 0
        self._counting = threading.Lock()

    def let_by(self) -> bool:
        with self._counting:
            self.asked += 1
        short_steps = super().let_by()
        with self._counting:
            self.passed += 1
        return short_steps


class Blocked(HashEncoder):
    """Encodes a question when it is told to, or fails."""

    def __init__(self) -> None:
        super().__init__(max_tokens=512)
        self.began, self.may_end, self.fails = threading.Event(), threading.Event(), False

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> np.ndarray:
        if breathe is None:
            self.began.set()
            self.may_end.wait()
            if self.fails:
                raise Unavailable("embedding", "it broke")
        return super().encode(rows, breathe)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  (what other threads do sets no event)
        await asyncio.sleep(0.001)


def test_work_goes_on_at_once_where_nobody_is_in_a_hurry() -> None:
    way = ThreadRightOfWay(LONG_S)
    way.let_by()
    with way.hurry():
        pass
    way.let_by()
    assert not way.is_held


def test_steps_are_short_while_somebody_is_in_a_hurry_and_for_a_while_after() -> None:
    now = 0.0
    way = ThreadRightOfWay(0.0, lambda: now, lately_s=5.0)
    assert not way.let_by(), "nobody came yet"
    with way.hurry():
        now = 100.0
        assert way.let_by()
    now = 104.9
    assert way.let_by()
    now = 105.0
    assert not way.let_by()


def test_work_is_held_until_the_last_one_in_a_hurry_is_done() -> None:
    way, done = ThreadRightOfWay(LONG_S), threading.Event()

    def work() -> None:
        way.let_by()
        done.set()

    with way.hurry():
        with way.hurry():
            worker = threading.Thread(target=work)
            worker.start()
        assert way.is_held
        assert not done.wait(0.05)
    worker.join()
    assert done.is_set()


def test_hold_ends_by_itself_and_work_then_gets_as_long() -> None:
    now = 100.0
    way = ThreadRightOfWay(0.02, lambda: now)
    with way.hurry():
        now += 0.02
        way.let_by()  # held for as long as may be
        assert not way.is_held
        with way.hurry():
            assert not way.is_held
        now += 0.021
        with way.hurry():
            assert way.is_held
        assert way.is_held, "somebody is in a hurry still"
    assert not way.is_held


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 60)), min_size=1, max_size=40))
def test_work_gets_half_of_the_time_whatever_hurries(questions: list[tuple[int, int]]) -> None:
    now = held_ms = ran_ms = 0
    way = ThreadRightOfWay(0.02, lambda: now / 1000)

    def pass_by(ms: int) -> None:
        nonlocal now, held_ms, ran_ms
        for _ in range(ms):
            now += 1
            if not way.is_held:
                ran_ms += 1
                continue
            held_ms += 1
            since = way._held_since
            if since is not None and now / 1000 >= since + 0.02:
                way.let_by()

    for gap, length in questions:
        pass_by(gap)
        with way.hurry():
            pass_by(length)
    assert held_ms <= ran_ms + 22


def test_bulk_waits_while_a_question_is_encoded_and_then_goes_on() -> None:
    async def check() -> None:
        way, encoder, pool = Watched(), Blocked(), ThreadWorkPool(3)
        queue = EncodeQueue(encoder, pool, LIMITS, right_of_way=way)
        with way.hurry():
            book = asyncio.create_task(queue.encode(BOOK))
            await until(lambda: way.asked == 2)
            question = asyncio.create_task(queue.encode([[0, 7, 1]]))
            await until(encoder.began.is_set)
        assert way.is_held, "the question is under way"
        await asyncio.sleep(0.02)
        assert (way.asked, way.passed, book.done()) == (2, 0, False)
        encoder.may_end.set()
        assert np.allclose(await question, HashEncoder().encode([[0, 7, 1]]))
        assert np.allclose(await book, HashEncoder().encode(BOOK))
        pool.close()

    asyncio.run(check())


@pytest.mark.parametrize("fails", [True, False])
def test_bulk_goes_on_when_a_question_fails_or_its_caller_leaves(fails: bool) -> None:
    async def check() -> None:
        way, encoder, pool = Watched(), Blocked(), ThreadWorkPool(3)
        encoder.fails = fails
        queue = EncodeQueue(encoder, pool, LIMITS, right_of_way=way)
        with way.hurry():
            book = asyncio.create_task(queue.encode(BOOK))
            await until(lambda: way.asked == 2)
            question = asyncio.create_task(queue.encode([[0, 7, 1]]))
            await until(encoder.began.is_set)
        assert (way.is_held, way.passed) == (True, 0)
        if fails:
            encoder.may_end.set()
        else:
            question.cancel()
        with pytest.raises((Unavailable, asyncio.CancelledError)):
            await question
        await book
        encoder.may_end.set()
        pool.close()

    asyncio.run(check())


def test_pool_can_be_closed_while_its_work_is_held() -> None:
    async def check() -> None:
        way, pool = Watched(0.05), ThreadWorkPool(2)
        queue = EncodeQueue(HashEncoder(max_tokens=512), pool, LIMITS, right_of_way=way)
        with way.hurry():
            book = asyncio.create_task(queue.encode(BOOK * 20))
            await until(lambda: way.asked == 2)
            await asyncio.to_thread(pool.close)
        with pytest.raises((Unavailable, RuntimeError)):
            await book

    asyncio.run(check())


def test_endless_row_of_questions_does_not_starve_a_book() -> None:
    async def check() -> None:
        pool, over = ThreadWorkPool(3), asyncio.Event()
        queue = EncodeQueue(HashEncoder(max_tokens=512), pool, LIMITS, right_of_way=ThreadRightOfWay(0.005))

        async def ask() -> None:
            while not over.is_set():
                await queue.encode([[0, 7, 1]])
                await asyncio.sleep(0)

        askers = [asyncio.create_task(ask()) for _ in range(8)]
        await queue.encode(BOOK)
        over.set()
        await asyncio.gather(*askers)
        pool.close()

    asyncio.run(check())


def test_long_requests_let_others_by_while_they_are_tokenised() -> None:
    async def check() -> None:
        way, encoder = Watched(), HashEncoder()
        queue = EncodeQueue(encoder, InlinePool(), LIMITS)
        pipeline = EmbedPipeline(encoder, queue, InlinePool(), right_of_way=way)
        texts = [f"text {n}" for n in range(70)]
        found = await pipeline.run(EmbedRequest(texts, "passage"))
        assert way.passed == 18  # steps of 4 in turns of 64
        assert np.allclose(found.vectors, (await EmbedPipeline(encoder, queue, InlinePool()).embed(texts, "passage")))

    asyncio.run(check())


def test_threads_of_a_hold_that_is_over_do_not_end_the_next_one() -> None:
    now = 100.0
    way = ThreadRightOfWay(LONG_S, lambda: now)
    with way.hurry():
        old = way._held_since
    now += 1
    with way.hurry():
        way._let_go(old)
        assert way.is_held
