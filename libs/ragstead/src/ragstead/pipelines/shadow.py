"""A copy of a question to a second model, beside the answer that is shown."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime

from ragstead.errors import RagsteadError
from ragstead.pipelines.costs import on_nobodys_bill
from ragstead.ports.generator import GenerationRequest, Generator
from ragstead.ports.shadow_log import Comparison, ShadowLog, Written
from ragstead.streams import closing
from ragstead.tracing import apart

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Copy:
    """What is sent to the second model, and what it is compared with.

    Attributes:
        rule: The routing rule that asked for it.
        request: The same question on the same passages.
        answer: What the first model wrote.
    """

    rule: str
    request: GenerationRequest
    answer: Written


class Shadow:
    """Sends copies in the background and keeps both answers. Nobody waits for it, and its failures are in the record.

    Args:
        log: Keeps the comparisons.
        most: Copies on their way at once; those over it are left out and counted.
        now: The time of day, for the record.
    """

    def __init__(self, log: ShadowLog, most: int, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._log = log
        self._most = most
        self._now = now
        self._left_out = 0
        self._running: set[asyncio.Task[None]] = set()

    def send(self, generator: Generator, copy: Copy) -> None:
        """Have the second model answer too, some time soon."""
        if len(self._running) >= self._most:
            self._left_out += 1
            return
        with apart(), on_nobodys_bill():  # nobody waits for it, and it is no part of the answer
            task = asyncio.create_task(self._compare(generator, copy), name="shadow")
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """Stop what is on its way."""
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _compare(self, generator: Generator, copy: Copy) -> None:
        shadow = await _written(generator, copy.request)
        left_out, self._left_out = self._left_out, 0
        ids = tuple(hit.stored.chunk_id for hit in copy.request.passages)
        comparison = Comparison(self._now(), copy.rule, copy.request.question, ids, copy.answer, shadow, left_out)
        try:
            await self._log.add(comparison)
        except RagsteadError as error:
            _log.warning("a comparison of %s with %s is lost: %s", copy.answer.model, shadow.model, error)


async def _written(generator: Generator, request: GenerationRequest) -> Written:
    began, words, prompt, completion, error = time.perf_counter(), list[str](), 0, 0, ""
    try:
        async with aclosing(closing(generator.generate(request))) as pieces:
            async for piece in pieces:
                words.append(piece.text)
                prompt, completion = piece.prompt_tokens or prompt, piece.completion_tokens or completion
    except RagsteadError as failure:
        error = str(failure)
    seconds = round(time.perf_counter() - began, 3)
    return Written(generator.name, "".join(words), seconds, prompt, completion, error)
