"""The pool: bounded, cancellable while waiting, and true to what the work does."""

import asyncio
import threading

import pytest

from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import Overloaded


def test_results_and_errors_come_through() -> None:
    async def scenario() -> None:
        pool = ThreadWorkPool(threads=1, queue=4, name="test")
        assert await pool.run(lambda: 41 + 1) == 42
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 // 0)
        pool.close()

    asyncio.run(scenario())


def test_a_full_queue_refuses_and_recovers() -> None:
    async def scenario() -> None:
        pool, gate = ThreadWorkPool(threads=1, queue=1, name="test"), threading.Event()
        running = [asyncio.create_task(pool.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(Overloaded, match="test pool is full"):
            await pool.run(lambda: None)
        gate.set()
        await asyncio.gather(*running)
        assert await pool.run(lambda: "again") == "again"
        pool.close()

    asyncio.run(scenario())


def test_work_whose_caller_went_while_it_waited_is_not_done() -> None:
    async def scenario() -> None:
        pool, gate, done = ThreadWorkPool(threads=1, queue=2, name="test"), threading.Event(), []
        first = asyncio.create_task(pool.run(gate.wait))
        waiting = asyncio.create_task(pool.run(lambda: done.append("waited")))
        await asyncio.sleep(0.05)
        waiting.cancel()
        await asyncio.sleep(0)
        gate.set()
        await first
        assert await pool.run(lambda: list(done)) == []
        pool.close()

    asyncio.run(scenario())
