"""Feeds an encoder from two lanes, such that a question never waits behind a book.

Requests that fit into one pass go the interactive lane, the others the bulk lane, which is cut into passes of a token
budget, its requests taking turns. A pass starts the moment that a runner is free: there is no timer that waits for
company. Rows of several requests share a pass where they are waiting anyway.

What it learnt from: huggingface/text-embeddings-inference, `core/src/queue.rs` (a budget of tokens, requests whose
caller is gone dropped when they are taken).
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import Overloaded, Unavailable
from ragstead.ports.embedding_events import EmbeddingEvents, EmbeddingRelay
from ragstead.ports.encoder import Encoder
from ragstead.ports.work_pool import RightOfWay, WorkPool

INTERACTIVE, BULK = "interactive", "bulk"
_TURNS = 8
"""Interactive passes after which a waiting bulk one gets its turn."""


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How an encoder is fed.

    Attributes:
        bulk_runners: Bulk passes at once; as many as there are cores where a pass has one of them.
        pass_tokens: Tokens of the first bulk pass, padding counted. One core reads some 13 a ms (MiniLM, int8).
        pass_s: Seconds that a bulk pass is to take: later ones are made as long as the model's pace allows, whether it
            is a large one or runs on a GPU. Higher: less overhead, and longer waits for questions. 0: all as the first.
        inline_s: Seconds of work up to which a lone question is encoded on the event loop while bulk passes run.
            Higher: more questions spared the way to a thread, longer pauses of everything else on the loop.
        interactive_tokens: Tokens up to which a request is interactive, and of an interactive pass.
        max_waiting_tokens: Tokens that may wait before `Overloaded`. Higher: longer waits instead of refusals.
    """

    bulk_runners: int = 2
    pass_tokens: int = 512
    pass_s: float = 0.04
    inline_s: float = 0.004
    interactive_tokens: int = 256
    max_waiting_tokens: int = 2_000_000


_SMALLEST_PASS, _LARGEST_PASS = 64, 32_768
_WEIGHT_OF_NEW = 0.2


class PassLength:
    """Learns how many tokens a bulk pass may have, from how long passes took.

    Args:
        limits: Where it begins, and what it is after.
    """

    def __init__(self, limits: QueueLimits) -> None:
        self._pass_s = limits.pass_s
        self._smallest = min(_SMALLEST_PASS, limits.pass_tokens)
        self.tokens = limits.pass_tokens

    def seconds(self, tokens: int) -> float:
        """Return what so many tokens are likely to take; infinity where nothing is known of the pace."""
        return tokens / self.tokens * self._pass_s if self._pass_s else math.inf

    def took(self, tokens: int, seconds: float) -> None:
        """Learn from a pass; one much shorter than the length tells little of the pace, and is left out."""
        if not self._pass_s or 2 * tokens < self.tokens or seconds <= 0:
            return
        wanted = tokens / seconds * self._pass_s
        learnt = (1 - _WEIGHT_OF_NEW) * self.tokens + _WEIGHT_OF_NEW * wanted
        self.tokens = int(min(max(learnt, self._smallest), _LARGEST_PASS))


@dataclass(eq=False, slots=True)
class _Job:
    """The rows of one request, longest first, and what is known of them."""

    lane: str
    rows: Sequence[Sequence[int]]
    order: deque[int]
    out: NDArray[np.float32]
    done: asyncio.Future[None]
    missing: int
    waiting_tokens: int
    since: float = field(default_factory=time.perf_counter)


_Slice = list[tuple[_Job, int]]


class EncodeQueue:
    """Is where rows wait for an encoder. Belongs to one event loop.

    Args:
        encoder: What encodes.
        pool: Where it does; it needs `limits.bulk_runners + 1` threads, of which the last one is kept for questions.
        limits: How it is fed; None for the defaults.
        events: Hears of it; None for nobody.
        bulk_pool: Where bulk passes run, of `limits.bulk_runners` threads that give way to questions; None for `pool`.
        right_of_way: Holds bulk passes while a question is encoded; None for nothing.
    """

    def __init__(
        self,
        encoder: Encoder,
        pool: WorkPool,
        limits: QueueLimits | None = None,
        events: EmbeddingEvents | None = None,
        bulk_pool: WorkPool | None = None,
        right_of_way: RightOfWay | None = None,
    ) -> None:
        self._hurry = right_of_way.hurry if right_of_way else nullcontext
        self._breathe = right_of_way.let_by if right_of_way else None
        self._encoder = encoder
        self._pool = pool
        self._bulk_pool = bulk_pool or pool
        self._limits = limits or QueueLimits()
        self._events = events or EmbeddingRelay()
        self._length = PassLength(self._limits)
        self._lanes: dict[str, deque[_Job]] = {INTERACTIVE: deque(), BULK: deque()}
        self._running = {INTERACTIVE: 0, BULK: 0}
        self._turns = 0
        self._waiting_tokens = 0
        self._runners: set[asyncio.Task[None]] = set()

    async def encode(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(rows), dim]`. When the caller is cancelled, what waits is dropped.

        Raises:
            Overloaded: If too much waits already. A request is let in where nothing waits, however large.
            Unavailable: If the encoder fails.
        """
        tokens = sum(map(len, rows))
        if self._waiting_tokens and self._waiting_tokens + tokens > self._limits.max_waiting_tokens:
            raise Overloaded(f"{self._waiting_tokens} tokens wait to be embedded already; try again in a moment")
        lane = INTERACTIVE if tokens <= self._limits.interactive_tokens else BULK
        if not rows:
            return np.empty((0, self._encoder.dim), dtype=np.float32)
        if len(rows) == 1 and lane == INTERACTIVE and not self._lanes[lane] and self._free_runners():
            if self._running[BULK] and self._length.seconds(tokens) <= self._limits.inline_s:
                return self._on_the_loop(rows, tokens)
            return await self._at_once(rows, tokens)
        order = deque(sorted(range(len(rows)), key=lambda i: -len(rows[i])))
        out = np.empty((len(rows), self._encoder.dim), dtype=np.float32)
        job = _Job(lane, rows, order, out, asyncio.get_running_loop().create_future(), len(rows), tokens)
        self._lanes[lane].append(job)
        self._book(tokens)
        self._start_runners()
        try:
            await job.done
        finally:
            self._forget(job)
        return out

    async def _at_once(self, rows: Sequence[Sequence[int]], tokens: int) -> NDArray[np.float32]:
        """Encode a question that finds a runner free, without the queue's detours."""
        self._running[INTERACTIVE] += 1
        self._events.began(INTERACTIVE, 0.0)
        try:
            with self._hurry():
                vectors = await self._pool.run(partial(self._encoder.encode, rows))
        finally:
            self._running[INTERACTIVE] -= 1
            if any(self._lanes.values()):
                self._start_runners()
        self._events.encoded(len(rows), tokens)
        return vectors

    def _on_the_loop(self, rows: Sequence[Sequence[int]], tokens: int) -> NDArray[np.float32]:
        """Encode a short question where it is: beside busy threads the way to another one and back takes longer."""
        self._events.began(INTERACTIVE, 0.0)
        with self._hurry():
            vectors = self._encoder.encode(rows)
        self._events.encoded(len(rows), tokens)
        return vectors

    def _free_runners(self) -> int:
        return self._limits.bulk_runners + 1 - sum(self._running.values())

    def _book(self, tokens: int) -> None:
        self._waiting_tokens += tokens
        self._events.queued(self._waiting_tokens)

    def _forget(self, job: _Job) -> None:
        """Drop what still waits of a request that has ended or whose caller is gone."""
        if job.order:
            job.order.clear()
            self._lanes[job.lane].remove(job)
        if job.waiting_tokens:
            self._book(-job.waiting_tokens)
            job.waiting_tokens = 0

    def _start_runners(self) -> None:
        free = self._free_runners()
        for lane in (INTERACTIVE, BULK):
            most = free if lane == INTERACTIVE else min(free, self._limits.bulk_runners - self._running[BULK])
            for _ in range(min(most, len(self._lanes[lane]) if lane == INTERACTIVE else self._bulk_passes())):
                free -= 1
                self._running[lane] += 1
                runner = asyncio.create_task(self._run(lane))
                self._runners.add(runner)
                runner.add_done_callback(self._runners.discard)

    def _bulk_passes(self) -> int:
        """At most how many bulk passes can be made of what waits."""
        return sum(len(job.order) for job in self._lanes[BULK])

    async def _run(self, lane: str) -> None:
        """Encode until nothing waits that this runner may take; those of the bulk lane help out in the other one."""
        try:
            while some := self._take(lane):
                await self._encode(some)
        finally:
            self._running[lane] -= 1
            if any(self._lanes.values()):
                self._start_runners()

    async def _encode(self, some: _Slice) -> None:
        rows = [job.rows[i] for job, i in some]
        began = time.perf_counter()
        is_bulk = some[0][0].lane == BULK
        work = partial(self._encoder.encode, rows, self._breathe if is_bulk else None)
        encoding = asyncio.ensure_future((self._bulk_pool if is_bulk else self._pool).run(work))
        await asyncio.wait({encoding})
        error = Unavailable("embedding", "the model was stopped") if encoding.cancelled() else encoding.exception()
        if error is not None:
            for job in {job for job, _ in some}:
                if not job.done.done():
                    job.done.set_exception(error)
            return
        vectors = encoding.result()
        self._length.took(max(map(len, rows)) * len(rows), time.perf_counter() - began)
        self._events.encoded(len(rows), sum(map(len, rows)))
        for (job, i), vector in zip(some, vectors, strict=True):
            job.out[i] = vector
            job.missing -= 1
            if not job.missing and not job.done.done():
                job.done.set_result(None)

    def _take(self, runner: str) -> _Slice:
        questions, bulk = self._lanes[INTERACTIVE], self._lanes[BULK]
        if questions and (runner == INTERACTIVE or not bulk or self._turns < _TURNS):
            self._turns += 1
            return self._cut(questions, self._limits.interactive_tokens)
        self._turns = 0
        return self._cut(bulk, self._length.tokens) if runner == BULK else []

    def _cut(self, lane: deque[_Job], budget: int) -> _Slice:
        """Take rows of the first request, and of those after it while there is room; then it is their turn."""
        some: _Slice = []
        longest = 0
        for _ in range(len(lane)):
            job = lane.popleft()
            is_new = len(job.order) == len(job.rows)
            taken = 0
            while job.order:
                length = len(job.rows[job.order[0]])
                if some and max(longest, length) * (len(some) + 1) > budget:
                    break
                longest = max(longest, length)
                some.append((job, job.order.popleft()))
                taken += length
            if taken and is_new:
                self._events.began(job.lane, time.perf_counter() - job.since)
            job.waiting_tokens -= taken
            self._book(-taken)
            if job.order:
                if taken:
                    lane.append(job)
                else:
                    lane.appendleft(job)
                break
        return some
