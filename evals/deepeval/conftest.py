"""Asks the handbook's questions once, of a platform that is opened for it; DeepEval reports to nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from ragstead.bootstrap.evaluation import COLLECTION, open_system
from ragstead.bootstrap.judging import quiet_deepeval
from ragstead.evaluation.suites import Suite, read_suite, sampled
from ragstead.ports.evaluated import AnswerRecord
from ragstead.settings import load_settings

quiet_deepeval()
QUESTIONS = 60
"""Of the suite that are asked: DeepEval's runner takes the longer for each test, the more there were before."""
SUITE = Path(__file__).parents[1] / "handbook.yaml"


async def _answers(suite: Suite) -> dict[str, AnswerRecord]:
    async with open_system(load_settings(None), suite, SUITE) as system:
        asked = [(case.id, await system.ask(case.question, COLLECTION)) for case in suite.questions]
    return {case_id: record for case_id, record in asked if record is not None}


@pytest.fixture(scope="session")
def suite() -> Suite:
    """The questions."""
    return sampled(read_suite(SUITE), QUESTIONS)


@pytest.fixture(scope="session")
def answers(suite: Suite) -> Mapping[str, AnswerRecord]:
    """What the configuration's defaults answer, by question."""
    return asyncio.run(_answers(suite))
