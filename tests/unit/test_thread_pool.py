"""The bounded pool: results, errors, refusal, cancellation."""

import asyncio
import os
import sys
import threading

import pytest

from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import Overloaded


def test_results_and_errors_come_back() -> None:
    async def check() -> None:
        pool = ThreadWorkPool(2)
        assert await pool.run(lambda: threading.current_thread().name != "MainThread") is True
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        pool.close()

    asyncio.run(check())


def test_full_queue_is_overloaded_until_work_ends() -> None:
    async def check() -> None:
        pool, gate = ThreadWorkPool(1, max_waiting=1, retry_after_s=2.5), threading.Event()
        running = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match=r"try again in 2\.5 s") as refused:
            await pool.run(lambda: None)
        assert refused.value.retry_after_s == 2.5
        gate.set()
        await asyncio.gather(*running)
        assert await pool.run(lambda: 7) == 7
        pool.close()

    asyncio.run(check())


def test_cancelled_waiting_work_is_not_started_and_frees_its_place() -> None:
    async def check() -> None:
        pool, gate, started = ThreadWorkPool(1, max_waiting=1), threading.Event(), threading.Event()
        first = asyncio.create_task(pool.run(gate.wait))
        waiting = asyncio.create_task(pool.run(started.set))
        await asyncio.sleep(0.05)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        second = asyncio.create_task(pool.run(lambda: "ran"))
        gate.set()
        await first
        assert await second == "ran"
        assert not started.is_set()
        pool.close()

    asyncio.run(check())


def test_closed_pool_refuses_work() -> None:
    pool = ThreadWorkPool(1)
    pool.close()
    with pytest.raises(RuntimeError, match="shutdown"):
        asyncio.run(pool.run(lambda: None))


@pytest.mark.skipif(sys.platform != "linux", reason="threads have priorities of their own on Linux alone")
def test_background_threads_give_way_and_others_do_not() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    async def check() -> None:
        own = niceness()
        for background, wanted in ((True, 10), (False, own)):
            pool = ThreadWorkPool(1, in_the_background=background)
            assert await pool.run(niceness) == wanted
            pool.close()
        assert niceness() == own

    asyncio.run(check())
