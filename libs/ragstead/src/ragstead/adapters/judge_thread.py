"""A judge on a thread and an event loop of its own, so that nothing that it does holds up answers."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack

from ragstead.errors import RagsteadError, Unavailable
from ragstead.ports.judge import Judge, JudgedAnswer, Judgement

_log = logging.getLogger(__name__)
_NAME = "judge"


class JudgeThread:
    """Is a `Judge` that has another one judge on its thread, where that one is opened with the first answer.

    Belongs to one event loop. The thread never keeps the process from ending.

    Args:
        opened: Returns the judge; called on the thread, where it may be slow. What is to be closed goes on its stack.
        timeout_s: For one answer.
        closing_s: For the end of the thread, with all that was opened.
    """

    def __init__(self, opened: Callable[[AsyncExitStack], Judge], timeout_s: float, closing_s: float = 2.0) -> None:
        self._opened = opened
        self._timeout_s = timeout_s
        self._closing_s = closing_s
        self._stack = AsyncExitStack()
        self._judge: Judge | None = None
        self._running: tuple[asyncio.AbstractEventLoop, threading.Thread] | None = None
        self._closed = False

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        """Return the judge's opinion.

        Raises:
            RagsteadError: As the judge raises, or as what opens it does.
            Unavailable: If it takes too long, fails in a way that nobody foresaw, or is closed.
        """
        if self._closed:
            raise Unavailable(_NAME, "the judge is closed")
        asked = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(self._ask(answer), self._loop()))
        try:
            done, _ = await asyncio.wait({asked}, timeout=self._timeout_s)
        finally:
            asked.cancel()
        if not done:
            raise Unavailable(_NAME, f"the judge gave no opinion within {self._timeout_s:g} s")
        trouble = asked.exception()
        if trouble is None:
            return asked.result()
        if isinstance(trouble, RagsteadError):
            raise trouble
        raise Unavailable(_NAME, f"the judge failed: {type(trouble).__name__}: {trouble}") from trouble

    async def close(self) -> None:
        """End the thread, and close what the judge holds; what is being judged is given up."""
        self._closed = True
        if self._running is None:
            return
        loop, thread = self._running
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join, self._closing_s)
        if thread.is_alive():
            _log.warning("the judge does not end within %g s, and is left behind", self._closing_s)

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._running is None:
            loop = asyncio.new_event_loop()
            thread = threading.Thread(target=self._run, args=(loop,), name="ragstead-judge", daemon=True)
            thread.start()
            self._running = loop, thread
        return self._running[0]

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        loop.run_forever()
        loop.run_until_complete(self._end())
        loop.close()

    async def _ask(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        if self._judge is None:
            self._judge = self._opened(self._stack)
        return await self._judge.judge(answer)

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for one in others:
            one.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._stack.aclose()
        await asyncio.get_running_loop().shutdown_asyncgens()
