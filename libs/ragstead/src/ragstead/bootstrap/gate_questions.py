"""What a gate asks of both sides: a suite's questions, or judged queries over documents of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ragstead.bootstrap.answer_judging import evidence_below
from ragstead.bootstrap.evaluation import COLLECTION, open_ranked, open_system, yardstick
from ragstead.evaluation.measures import Kind
from ragstead.evaluation.ranked_queries import RankedSet
from ragstead.evaluation.run_tables import question_table, ranking_table
from ragstead.evaluation.scoring import Scored
from ragstead.evaluation.suites import Suite
from ragstead.pipelines.evaluate import SuiteEvaluation
from ragstead.pipelines.evaluated_platform import PlatformSystem
from ragstead.pipelines.in_turn import Progress
from ragstead.pipelines.rank_queries import RankingEvaluation
from ragstead.ports.experiments import Table
from ragstead.ports.registry import Release
from ragstead.settings import Settings


@dataclass(frozen=True, slots=True)
class Contender:
    """One side of a comparison.

    Attributes:
        name: What it is called in reports.
        settings: Its pipeline.
        release: The release with its prompts and weights; None for what the settings come to.
    """

    name: str
    settings: Settings
    release: Release | None = None


@dataclass(frozen=True, slots=True)
class SideResults:
    """What one side that ran came to.

    Attributes:
        results: By question.
        release: That it ran.
    """

    results: Sequence[Scored]
    release: str


class Questions(Protocol):
    """Questions that both sides are asked in turn."""

    @property
    def name(self) -> str:
        """What reports call them."""
        ...

    @property
    def kind(self) -> Kind:
        """What they say something of."""
        ...

    @property
    def words(self) -> dict[str, str]:
        """The questions' words by id."""
        ...

    async def ask(self, live: Sequence[Contender], done: Progress) -> list[SideResults]:
        """Return what each side came to, all asked in turn.

        Raises:
            InvalidRequest: If the documents are not there, or can't be indexed.
            ConfigurationError: If one of the pipelines can't be composed here.
        """
        ...


@dataclass(frozen=True, slots=True)
class SuiteQuestions:
    """Are `Questions`: those of a suite, answered.

    Attributes:
        suite: The suite.
        path: Its file, beside or above which its documents are.
        judged: Whether a judge reads the answers afterwards.
    """

    suite: Suite
    path: Path
    judged: bool = False
    kind: Kind = "answer"

    @property
    def name(self) -> str:
        """The suite's."""
        return self.suite.name

    @property
    def words(self) -> dict[str, str]:
        """The questions by id."""
        return {case.id: case.question for case in self.suite.questions}

    async def ask(self, live: Sequence[Contender], done: Progress) -> list[SideResults]:
        """Ask each side every question, in turn."""
        held = yardstick(self.suite, *(one.settings for one in live))
        evaluation = SuiteEvaluation(COLLECTION, held, evidence_below=evidence_below() if self.judged else None)

        async def measure(systems: Sequence[PlatformSystem]) -> list[list[Scored]]:
            return await evaluation.measure_in_turn(systems, self.suite.questions, done)

        return await _asked([open_system(one.settings, self.suite, self.path, one.release) for one in live], measure)


@dataclass(frozen=True, slots=True)
class RankedQuestions:
    """Are `Questions`: judged queries, searched.

    Attributes:
        ranked: The queries.
    """

    ranked: RankedSet
    kind: Kind = "ranking"

    @property
    def name(self) -> str:
        """The set's."""
        return self.ranked.name

    @property
    def words(self) -> dict[str, str]:
        """The queries by id."""
        return {one.query_id: one.text for one in self.ranked.queries}

    async def ask(self, live: Sequence[Contender], done: Progress) -> list[SideResults]:
        """Search every query on each side, in turn."""

        async def measure(systems: Sequence[PlatformSystem]) -> list[list[Scored]]:
            found = await RankingEvaluation(COLLECTION).measure_in_turn(systems, self.ranked.queries, done)
            return [[one.scored for one in side] for side in found]

        return await _asked([open_ranked(one.settings, self.ranked, one.release) for one in live], measure)


def table_of(kind: Kind, results: Sequence[Scored], words: dict[str, str]) -> Table:
    """Return the table by question."""
    return ranking_table(results, words) if kind == "ranking" else question_table(results, words)


async def _asked(
    opening: Sequence[AbstractAsyncContextManager[PlatformSystem]],
    measure: Callable[[Sequence[PlatformSystem]], Awaitable[list[list[Scored]]]],
) -> list[SideResults]:
    async with AsyncExitStack() as stack:
        systems = await asyncio.gather(*(stack.enter_async_context(one) for one in opening))
        results = await measure(systems)
        return [SideResults(side, system.release) for side, system in zip(results, systems, strict=True)]
