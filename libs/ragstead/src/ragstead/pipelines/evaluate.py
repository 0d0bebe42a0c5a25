"""Asks a suite's questions of one system, or of several in turn, and scores what they answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from ragstead.evaluation.scoring import RANKED, Scored, Yardstick, score_question
from ragstead.evaluation.suites import Case, ContextDocument
from ragstead.pipelines.in_turn import Progress, at_once, in_turn
from ragstead.ports.evaluated import EvaluatedSystem, FoundPassage, SourceDocument

_CHUNKS_A_DOCUMENT = 4
"""Passages searched for each document wanted: several of them may be of one document."""


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
        evidence_below: Probability of injection below which a passage is kept for a judge to read; None: nobody judges,
            and none is.
    """

    def __init__(self, collection: str, yardstick: Yardstick, *, evidence_below: float | None = None) -> None:
        self._collection = collection
        self._yardstick = yardstick
        self._evidence_below = evidence_below

    async def measure(
        self, system: EvaluatedSystem, cases: Sequence[Case], done: Progress, *, limit: int
    ) -> list[Scored]:
        """Ask one system, several questions at once, and return their scores in the order of the cases.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If the system is down.
        """
        return await at_once(cases, lambda case: self.ask(system, case), done, limit=limit)

    async def measure_in_turn(
        self, systems: Sequence[EvaluatedSystem], cases: Sequence[Case], done: Progress
    ) -> list[list[Scored]]:
        """Ask every question of each system in turn, one at a time, and return the scores of each system.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a system is down.
        """
        return await in_turn(systems, cases, self.ask, done)

    async def ask(self, system: EvaluatedSystem, case: Case) -> Scored:
        """Ask one question and return its scores."""
        async with self._place(system, case) as collection:
            record = await system.ask(case.question, collection)
            ranks = case.answerable and bool(case.sources) and not case.context
            judged = self._evidence_below is not None and record is not None and not record.refused
            wants = ranks or judged
            found = await system.find(case.question, collection, _CHUNKS_A_DOCUMENT * RANKED) if wants else None
            ranked = _files(found) if ranks and found is not None else None
            scored = score_question(case, record, ranked, self._yardstick)
            return replace(scored, contexts=self._contexts(found)) if judged and found is not None else scored

    def _contexts(self, found: Sequence[FoundPassage]) -> tuple[str, ...]:
        return tuple(one.text for one in found if one.injection < (self._evidence_below or 0.0))

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


def _files(found: Sequence[FoundPassage]) -> list[str]:
    """Return the names of the files that were found, each at the place of its best passage."""
    return list(dict.fromkeys(one.filename for one in found))[:RANKED]
