"""Calls that are shared by those who wait anyway."""

import asyncio
from collections.abc import Sequence

import pytest

from ragstead.coalescing import Coalescer


class Calls:
    """Doubles numbers, some at once, when it is let; fails on negative ones."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, list[int]]] = []
        self.under_way = 0
        self.most = 0

    async def __call__(self, key: str, numbers: Sequence[int]) -> list[int]:
        self.seen.append((key, list(numbers)))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.01)
        self.under_way -= 1
        if min(numbers) < 0:
            raise ValueError("negative")
        return [2 * number for number in numbers]


def test_those_who_wait_share_a_call_by_key() -> None:
    async def check() -> None:
        calls = Calls()
        shared = Coalescer(calls, most=3)
        asked = [("a", 1), ("a", 2), ("b", 3), ("a", 4), ("b", 5), ("a", 6), ("a", 7)]
        found = await asyncio.gather(*(shared.ask(key, number) for key, number in asked))
        assert found == [2, 4, 6, 8, 10, 12, 14]
        assert calls.seen == [("a", [1]), ("a", [2, 4, 6]), ("b", [3, 5]), ("a", [7])]
        assert calls.most == 1

    asyncio.run(check())


def test_alone_each_is_a_call() -> None:
    async def check() -> None:
        calls = Calls()
        shared = Coalescer(calls)
        assert [await shared.ask("a", number) for number in (1, 2)] == [2, 4]
        assert calls.seen == [("a", [1]), ("a", [2])]

    asyncio.run(check())


def test_several_calls_may_be_under_way() -> None:
    async def check() -> None:
        calls = Calls()
        shared = Coalescer(calls, at_once=2, most=2)
        await asyncio.gather(*(shared.ask("a", number) for number in range(8)))
        assert calls.most == 2
        assert [len(numbers) for _, numbers in calls.seen] == [1, 1, 2, 2, 2]

    asyncio.run(check())


def test_failure_meets_those_of_the_call_and_the_next_go_on() -> None:
    async def check() -> None:
        shared = Coalescer(Calls(), most=2)
        outcomes = await asyncio.gather(*(shared.ask("a", number) for number in (1, -2, 3, 4)), return_exceptions=True)
        assert outcomes[0] == 2
        assert isinstance(outcomes[1], ValueError)
        assert isinstance(outcomes[2], ValueError)
        assert outcomes[3] == 8
        with pytest.raises(ValueError, match="negative"):
            await shared.ask("a", -1)
        assert await shared.ask("a", 5) == 10

    asyncio.run(check())


def test_caller_who_left_is_not_asked_for() -> None:
    async def check() -> None:
        calls = Calls()
        shared = Coalescer(calls)
        first = asyncio.create_task(shared.ask("a", 1))
        left = asyncio.create_task(shared.ask("a", 2))
        stays = asyncio.create_task(shared.ask("a", 3))
        await asyncio.sleep(0)
        left.cancel()
        assert (await first, await stays) == (2, 6)
        assert calls.seen == [("a", [1]), ("a", [3])]
        leader = asyncio.create_task(shared.ask("a", 4))
        follower = asyncio.create_task(shared.ask("a", 5))
        await asyncio.sleep(0)
        leader.cancel()
        assert await follower == 10

    asyncio.run(check())
