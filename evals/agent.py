"""Compares the agent, its rules planning, with one search on the handbook's suite: `python -m evals.agent`.

First the suite's own questions, each of which asks one thing; then pairs of answerable ones, drawn at random and asked
as one question: in how many replies both gold answers stand, in how many at least one.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from pathlib import Path

from ragstead.bootstrap.evaluation import isolated, suite_documents, system_of, yardstick
from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.evaluation.answer_text import contains
from ragstead.evaluation.scoring import score_question
from ragstead.evaluation.suites import Case, Suite, read_suite
from ragstead.evaluation.summaries import summary
from ragstead.model import Answer
from ragstead.pipelines.asking import AskRequest
from ragstead.settings import load_settings

SUITE = Path(__file__).parent / "handbook.yaml"
PAIRS = 60
SEED = 1


async def ask(platform: Platform, question: str, *, agent: bool) -> Answer:
    """Return the answer of either."""
    return await platform.answerer.answer(AskRequest(question, agent=agent))


def holds(answer: Answer, case: Case) -> bool:
    """Return whether a gold answer stands in the answer."""
    return not answer.refused and contains(answer.content, case.answers)


async def compare(platform: Platform, suite: Suite) -> None:
    """Print the measures of both."""
    answerable = [case for case in suite.questions if case.answerable]
    draw = random.Random(SEED)  # noqa: S311  (a sample, no secret)
    pairs = [(draw.choice(answerable), draw.choice(answerable)) for _ in range(PAIRS)]
    for agent in (False, True):
        asked, held = system_of(platform, agent=agent), yardstick(suite)
        told = [score_question(case, await asked.ask(case.question, "default"), None, held) for case in suite.questions]
        both, one = 0, 0
        for pair in pairs:
            answer = await ask(platform, " ".join(case.question for case in pair), agent=agent)
            found = [holds(answer, case) for case in pair]
            both, one = both + all(found), one + any(found)
        print("ragstead-agent" if agent else "ragstead")
        print("  suite:", ", ".join(f"{name} {value:.3f}" for name, value in summary(told).items()))
        print(f"  {PAIRS} pairs: both answers in {both}, at least one in {one}")


async def main() -> None:
    """Ingest the handbook into a folder that goes away, and compare."""
    suite = read_suite(SUITE)
    with tempfile.TemporaryDirectory() as folder:
        async with open_platform(isolated(load_settings(None), Path(folder))) as platform:
            await system_of(platform).take_in("default", suite_documents(suite, SUITE))
            await compare(platform, suite)


if __name__ == "__main__":
    asyncio.run(main())
