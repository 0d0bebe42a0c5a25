"""Requests that share a call, because they wait for one anyway."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Coalescer(Generic[Key, Asked, Answer]):
    """Gives requests to a call that takes several: alone if none is under way, else with those that wait, too.

    There is no timer: nobody waits for company. Requests share a call only if their keys are equal. Belongs to one
    event loop.

    Args:
        call: Answers some requests of one key, in their order.
        at_once: Calls under way at the same time. Higher: less sharing.
        most: Requests of one call. Higher: more a second, and longer waits for each.
    """

    def __init__(
        self, call: Callable[[Key, Sequence[Asked]], Awaitable[Sequence[Answer]]], *, at_once: int = 1, most: int = 8
    ) -> None:
        self._call = call
        self._at_once = at_once
        self._most = most
        self._under_way = 0
        self._waiting: deque[tuple[Key, Asked, asyncio.Future[Answer]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, key: Key, asked: Asked) -> Answer:
        """Return the answer, or raise what the call raises; all requests of a call that fails fail."""
        if self._under_way >= self._at_once:
            answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            self._waiting.append((key, asked, answer))
            return await answer
        self._under_way += 1
        try:
            return (await self._call(key, [asked]))[0]
        finally:
            self._under_way -= 1
            self._go_on()

    def _go_on(self) -> None:
        while self._waiting and self._under_way < self._at_once:
            together = self._taken()
            if together:
                self._under_way += 1
                task = asyncio.create_task(self._answer(together))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _taken(self) -> list[tuple[Key, Asked, asyncio.Future[Answer]]]:
        """Take the first that waits and those of its key; callers who left are passed over."""
        taken: list[tuple[Key, Asked, asyncio.Future[Answer]]] = []
        left: deque[tuple[Key, Asked, asyncio.Future[Answer]]] = deque()
        for one in self._waiting:
            if one[2].done():
                continue
            if len(taken) < self._most and (not taken or one[0] == taken[0][0]):
                taken.append(one)
            else:
                left.append(one)
        self._waiting = left
        return taken

    async def _answer(self, together: Sequence[tuple[Key, Asked, asyncio.Future[Answer]]]) -> None:
        try:
            call = self._call(together[0][0], [asked for _, asked, _ in together])
            (outcome,) = await asyncio.gather(call, return_exceptions=True)
        finally:
            self._under_way -= 1
            self._go_on()
        for i, (_, _, answer) in enumerate(together):
            if answer.done():
                continue
            if isinstance(outcome, BaseException):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome[i])
