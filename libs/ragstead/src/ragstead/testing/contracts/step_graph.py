"""The suite of `StepGraph`."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ragstead.errors import Unavailable
from ragstead.ports.step_graph import Move, StepGraph


class Walk:
    """A task that goes where a script says, and writes down where it was.

    Args:
        moves: What its steps answer, in order; the last one for ever.
    """

    def __init__(self, *moves: Move) -> None:
        self._moves = list(moves)
        self.taken: list[str] = []

    async def plan(self) -> Move:
        """Take the step."""
        return await self.step("plan")

    async def search(self) -> Move:
        """Take the step."""
        return await self.step("search")

    async def judge(self) -> Move:
        """Take the step."""
        return await self.step("judge")

    async def step(self, name: str) -> Move:
        """Note it and go on."""
        self.taken.append(name)
        return self._moves.pop(0) if len(self._moves) > 1 else self._moves[0]


class _Failing(Walk):
    async def step(self, name: str) -> Move:
        await super().step(name)
        raise Unavailable("vectors", "they are gone")


class _Waiting(Walk):
    async def step(self, name: str) -> Move:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            self.taken.append("cancelled")
            raise
        return await super().step(name)


class StepGraphContract:
    """What any `StepGraph` does; subclasses define `graph`."""

    def graph(self) -> StepGraph:
        """Return one."""
        raise AssertionError("a suite says what it tests")

    def taken(self, moves: Sequence[Move], most: int) -> list[str]:
        """Run a script and return the steps that it took."""
        walk = Walk(*moves)
        asyncio.run(self.graph().run(walk, most=most))
        return walk.taken

    def test_steps_are_taken_in_the_order_that_they_say(self) -> None:
        moves = [Move.SEARCH, Move.JUDGE, Move.PLAN, Move.END]
        assert self.taken(moves, 10) == ["plan", "search", "judge", "plan"]

    def test_task_without_an_end_is_stopped_and_stays_as_it_stands(self) -> None:
        assert self.taken([Move.PLAN], 5) == ["plan"] * 5

    def test_tasks_do_not_know_each_other(self) -> None:
        async def both() -> list[list[str]]:
            graph = self.graph()
            walks = [Walk(Move.SEARCH, Move.END), Walk(Move.JUDGE, Move.END)]
            await asyncio.gather(*(graph.run(walk, most=10) for walk in walks))
            return [walk.taken for walk in walks]

        assert asyncio.run(both()) == [["plan", "search"], ["plan", "judge"]]

    def test_error_of_a_step_comes_out_as_it_is(self) -> None:
        walk = _Failing(Move.END)
        came: list[Unavailable] = []
        try:
            asyncio.run(self.graph().run(walk, most=5))
        except Unavailable as error:
            came.append(error)
        assert [str(error) for error in came] == ["they are gone"]
        assert walk.taken == ["plan"]

    def test_cancelled_run_cancels_its_step(self) -> None:
        async def scenario() -> list[str]:
            walk = _Waiting(Move.END)
            running = asyncio.create_task(self.graph().run(walk, most=5))
            await asyncio.sleep(0.05)
            running.cancel()
            await asyncio.wait([running])
            assert running.cancelled()
            return walk.taken

        assert asyncio.run(scenario()) == ["cancelled"]
