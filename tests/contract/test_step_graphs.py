"""The step graph's suite over LangGraph and over the plain loop; and LangGraph tells nobody."""

from __future__ import annotations

import asyncio
import subprocess
import sys

import pytest
from langsmith import utils

from ragstead.adapters.langgraph import LangGraphSteps
from ragstead.ports.step_graph import Move, StepGraph
from ragstead.testing.contracts import StepGraphContract
from ragstead.testing.contracts.step_graph import Walk
from ragstead.testing.fakes import LoopedSteps


class TestLangGraphSteps(StepGraphContract):
    def graph(self) -> StepGraph:
        return LangGraphSteps()


class TestLoopedSteps(StepGraphContract):
    def graph(self) -> StepGraph:
        return LoopedSteps()


class Traced(Walk):
    async def step(self, name: str) -> Move:
        self.taken.append(str(utils.tracing_is_enabled()))
        return Move.END


def test_nothing_is_reported_even_where_the_environment_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGSMITH_TRACING", "true")
    utils.get_env_var.cache_clear()
    try:
        assert utils.tracing_is_enabled() is True
        walk = Traced()
        asyncio.run(LangGraphSteps().run(walk, most=5))
        assert walk.taken == ["False"]
    finally:
        utils.get_env_var.cache_clear()


def test_starting_a_platform_imports_neither_langgraph_nor_langchain() -> None:
    words = (
        "import sys, ragstead.bootstrap.platform, ragstead_gateway.app, ragstead_cli.main; "
        "print({'langgraph', 'langchain_core', 'langsmith'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "set()\n"
