"""Asks questions several at once, or of several systems in turn, whatever is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Question = TypeVar("Question")
System = TypeVar("System")
Result = TypeVar("Result")
Progress = Callable[[int], None]
"""Told how many questions are done."""
WARM_UP = 3
"""Questions that are asked before the first one is timed."""


async def at_once(
    questions: Sequence[Question], ask: Callable[[Question], Awaitable[Result]], done: Progress, *, limit: int
) -> list[Result]:
    """Return `ask(question)` in the order of the questions, up to `limit` asked at once; the first error ends all."""
    room = asyncio.Semaphore(limit)
    finished = 0

    async def one(question: Question) -> Result:
        nonlocal finished
        async with room:
            result = await ask(question)
        finished += 1
        done(finished)
        return result

    tasks = [asyncio.create_task(one(question)) for question in questions]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def in_turn(
    systems: Sequence[System],
    questions: Sequence[Question],
    ask: Callable[[System, Question], Awaitable[Result]],
    done: Progress,
) -> list[list[Result]]:
    """Ask every question of each system in turn, one at a time, and return the results of each system.

    Nothing else runs while a question is timed, and the system that is asked first changes with every question, so
    that whatever slows the machine down slows all of them alike. A few questions are asked before, untimed.
    """
    for question in questions[:WARM_UP]:
        for system in systems:
            await ask(system, question)
    results: list[list[Result]] = [[] for _ in systems]
    for number, question in enumerate(questions):
        for turn in range(len(systems)):
            index = (number + turn) % len(systems)
            results[index].append(await ask(systems[index], question))
        done(number + 1)
    return results
