"""Judges a sample of live answers off the request path, and hands the scores to whoever keeps them with the traces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from ragstead.errors import InvalidRequest, RagsteadError
from ragstead.ports.judge import Judge, JudgedAnswer, Judgement

_log = logging.getLogger(__name__)

Keep = Callable[[str, Judgement], Awaitable[None]]
"""Keeps a judgement with the trace of that id; raises an error of the house where it can't."""


@dataclass(frozen=True, slots=True)
class SamplingPlan:
    """Which answers are judged.

    Attributes:
        share: Of all answers, in [0, 1].
        waiting: Answers that may wait for the judge; more are left out and counted.
    """

    share: float = 0.05
    waiting: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1 or self.waiting < 1:
            raise InvalidRequest(f"a share of {self.share} with {self.waiting} waiting is no sample")

    def takes(self, trace_id: str) -> bool:
        """Return whether the answer of a trace is in the sample: always the same for one trace, on every replica.

        The id's last eight hexadecimal digits are taken for a number; an id that has none is never in.
        """
        try:
            return int(trace_id[-8:], 16) < self.share * (1 << 32)
        except ValueError:
            return False


@dataclass(slots=True)
class SampleCounts:
    """What became of the answers offered.

    Attributes:
        judged: Judged, and their scores kept.
        dropped: Left out as too many were waiting.
        failed: Those of which a judge, or the keeper, failed.
    """

    judged: int = 0
    dropped: int = 0
    failed: int = 0


class SampleScoring:
    """Judges one answer at a time, in a task of its own; nothing that is asked of it waits.

    Args:
        judges: Whose opinions; one that fails takes nothing from the others.
        keep: Where it goes.
        plan: Which answers.
    """

    def __init__(self, judges: Sequence[Judge], keep: Keep, plan: SamplingPlan) -> None:
        self._judges = tuple(judges)
        self._keep = keep
        self._plan = plan
        self._waiting: asyncio.Queue[JudgedAnswer] = asyncio.Queue(plan.waiting)
        self._working: asyncio.Task[None] | None = None
        self.counts = SampleCounts()
        self.trouble = ""

    def start(self) -> None:
        """Begin to judge."""
        self._working = asyncio.create_task(self._work(), name="sample scoring")

    def takes(self, trace_id: str) -> bool:
        """Return whether the answer of a trace is in the sample."""
        return self._plan.takes(trace_id)

    def offer(self, answer: JudgedAnswer) -> bool:
        """Take an answer where it is in the sample and there is room; returns whether it will be judged."""
        if not self._plan.takes(answer.trace_id):
            return False
        try:
            self._waiting.put_nowait(answer)
        except asyncio.QueueFull:
            self.counts.dropped += 1
            return False
        return True

    @property
    def word(self) -> str:
        """What became of the sample so far, in one line."""
        told = f"{self.counts.judged} scored, {self.counts.dropped} dropped, {self.counts.failed} failed"
        return f"{told}; last: {self.trouble}" if self.trouble else told

    async def settle(self) -> None:
        """Wait until all that was taken is judged."""
        await self._waiting.join()

    async def close(self) -> None:
        """Stop; what waits is not judged any more."""
        if self._working is not None:
            self._working.cancel()
            with suppress(asyncio.CancelledError):
                await self._working

    async def _work(self) -> None:
        while True:
            answer = await self._waiting.get()
            try:
                troubles = [trouble for judge in self._judges if (trouble := await self._judged(judge, answer))]
                self.trouble = "; ".join(troubles)
                if troubles:
                    self.counts.failed += 1
                else:
                    self.counts.judged += 1
            finally:
                self._waiting.task_done()

    async def _judged(self, judge: Judge, answer: JudgedAnswer) -> str:
        """Keep what a judge says; return why it could not, or nothing."""
        try:
            for judgement in await judge.judge(answer):
                await self._keep(answer.trace_id, judgement)
        except RagsteadError as error:
            _log.warning("the answer of trace %s is not judged: %s", answer.trace_id, error)
            return str(error) or type(error).__name__
        return ""
