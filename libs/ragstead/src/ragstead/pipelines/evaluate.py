"""Asks a suite's questions of one system, or of several in turn, and scores what they answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from ragstead.evaluation.scoring import RANKED, Scored, Yardstick, score_question
from ragstead.evaluation.suites import Case, ContextDocument
from ragstead.ports.evaluated import EvaluatedSystem, SourceDocument

WARM_UP = 3
"""Questions that are asked before the first one is timed."""
Progress = Callable[[int], None]
"""Told how many questions are done."""


def frozen_collection(case: Case) -> str:
    """Return the name of the collection that a case's own documents are put in."""
    return f"eval-case-{case.fingerprint}"


def source_documents(documents: Sequence[ContextDocument]) -> list[SourceDocument]:
    """Return documents that stand in a suite as documents to take in."""
    return [SourceDocument(one.document_id, one.text.encode(), is_text=True) for one in documents]


class SuiteEvaluation:
    """Asks the questions of a suite.

    A case with documents of its own is asked about those, in a collection that goes away with the question.

    Args:
        collection: Where the other cases are asked.
        yardstick: What answers are held against.
        ranks: Whether to ask for the documents found as well.
    """

    def __init__(self, collection: str, yardstick: Yardstick, *, ranks: bool = True) -> None:
        self._collection = collection
        self._yardstick = yardstick
        self._ranks = ranks

    async def measure(
        self, system: EvaluatedSystem, cases: Sequence[Case], done: Progress, *, at_once: int
    ) -> list[Scored]:
        """Ask one system, several questions at once, and return their scores in the order of the cases.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If the system is down.
        """
        room = asyncio.Semaphore(at_once)
        finished = 0

        async def one(case: Case) -> Scored:
            nonlocal finished
            async with room:
                scored = await self.ask(system, case)
            finished += 1
            done(finished)
            return scored

        tasks = [asyncio.create_task(one(case)) for case in cases]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def measure_in_turn(
        self, systems: Sequence[EvaluatedSystem], cases: Sequence[Case], done: Progress
    ) -> list[list[Scored]]:
        """Ask every question of each system in turn, one at a time, and return the scores of each system.

        Nothing else runs while a question is timed, and the system that is asked first changes with every question, so
        that whatever slows the machine down slows all of them alike. A few questions are asked before, untimed.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a system is down.
        """
        for case in cases[:WARM_UP]:
            for system in systems:
                await self.ask(system, case)
        results: list[list[Scored]] = [[] for _ in systems]
        for number, case in enumerate(cases):
            for turn in range(len(systems)):
                index = (number + turn) % len(systems)
                results[index].append(await self.ask(systems[index], case))
            done(number + 1)
        return results

    async def ask(self, system: EvaluatedSystem, case: Case) -> Scored:
        """Ask one question and return its scores."""
        async with self._place(system, case) as collection:
            record = await system.ask(case.question, collection)
            wants = self._ranks and case.answerable and case.sources and not case.context
            ranked = await system.rank(case.question, collection, RANKED) if wants else None
            return score_question(case, record, ranked, self._yardstick)

    @asynccontextmanager
    async def _place(self, system: EvaluatedSystem, case: Case) -> AsyncIterator[str]:
        if not case.context:
            yield self._collection
            return
        own = frozen_collection(case)
        await system.forget(own)  # what a run that was killed left
        await system.take_in(own, source_documents(case.context))
        try:
            yield own
        finally:
            await system.forget(own)
