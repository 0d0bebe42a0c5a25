"""A task in steps to its end."""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol


class Move(StrEnum):
    """What a task does next."""

    PLAN = "plan"
    SEARCH = "search"
    JUDGE = "judge"
    END = "end"


class Deliberation(Protocol):
    """A task that knows after each step which one is next; one instance stands for one question."""

    async def plan(self) -> Move:
        """Decide what to search for."""
        ...

    async def search(self) -> Move:
        """Search for it."""
        ...

    async def judge(self) -> Move:
        """Weigh what was found."""
        ...


class StepGraph(Protocol):
    """Runs tasks from their plan to their end."""

    async def run(self, task: Deliberation, *, most: int) -> None:
        """Take steps, the plan first, until one says END, or `most` of them are done: then the task stays as it stands.

        What a step raises comes out of here; cancelled, the step that runs is cancelled.
        """
        ...
