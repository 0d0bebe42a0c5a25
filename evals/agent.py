"""Compares the agent, its rules planning, with one search on the handbook's suite: `python -m evals.agent`.

First the suite's own questions, each of which asks one thing; then pairs of answerable ones, drawn at random and asked
as one question: in how many replies both gold answers stand, in how many at least one.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.model import Answer
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.settings import load_settings
from ragstead_cli.suite_evaluation import Case, answer_measures, normalised, read_suite

ROOT = Path(__file__).parent.parent
PAIRS = 60
SEED = 1


async def ask(platform: Platform, question: str, *, agent: bool) -> Answer:
    """Return the answer of either."""
    return await platform.answerer.answer(AskRequest(question, agent=agent))


def holds(answer: Answer, case: Case) -> bool:
    """Return whether a gold answer stands in the answer."""
    said = f" {normalised(answer.content)} "
    return not answer.refused and any(f" {normalised(gold)} " in said for gold in case.answers)


async def compare(platform: Platform, cases: Sequence[Case]) -> None:
    """Print the measures of both."""
    answerable = [case for case in cases if case.answerable]
    draw = random.Random(SEED)  # noqa: S311  (a sample, no secret)
    pairs = [(draw.choice(answerable), draw.choice(answerable)) for _ in range(PAIRS)]
    for agent in (False, True):
        told = []
        for case in cases:
            answer = await ask(platform, case.question, agent=agent)
            cited = [{"filename": one.stored.filename} for one in answer.citations]
            told.append((case, {"answer": answer.content, "refused": answer.refused, "citations": cited}))
        both, one = 0, 0
        for pair in pairs:
            answer = await ask(platform, " ".join(case.question for case in pair), agent=agent)
            found = [holds(answer, case) for case in pair]
            both, one = both + all(found), one + any(found)
        print("ragstead-agent" if agent else "ragstead")
        print("  suite:", ", ".join(f"{name} {value:.3f}" for name, value in answer_measures(told).items()))
        print(f"  {PAIRS} pairs: both answers in {both}, at least one in {one}")


async def main() -> None:
    """Ingest the handbook into a folder that goes away, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        async with open_platform(load_settings(None, data_dir=Path(folder))) as platform:
            files = sorted(path for path in (ROOT / "samples" / "handbook").iterdir() if path.is_file())
            await platform.ingestor.submit(
                "default", [Submission(one.name, one.name, one.read_bytes()) for one in files]
            )
            await platform.ingestor.settle("default")
            await compare(platform, read_suite(ROOT / "evals" / "handbook.yaml"))


if __name__ == "__main__":
    asyncio.run(main())
