"""The agent: the same pipeline as other answers', with a finder that deliberates."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from ragstead.bootstrap.generation import open_breaker, open_chat_model
from ragstead.bootstrap.routing import EXTRACTIVE
from ragstead.pipelines.deliberate import AgentPlan
from ragstead.pipelines.plan import RULES, ModelPlanner, RulesPlanner
from ragstead.planning.moves import Bounds
from ragstead.ports.planner import Planner
from ragstead.ports.step_graph import Deliberation, StepGraph
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings


def agent_plan(settings: Settings, threshold: float) -> AgentPlan:
    """Return how far the agent goes; `threshold` is the probability of support that an answer needs."""
    agent, answer = settings.pipeline.agent, settings.pipeline.answer
    bounds = Bounds(agent.max_steps, agent.max_queries, agent.max_tokens, agent.enough)
    plans = planner_name(settings) != RULES and agent.max_tokens > 0
    return AgentPlan(answer.passages, agent.passages, threshold, bounds, plans)


def open_planner(settings: Settings, instructions: str, stack: AsyncExitStack) -> Planner:
    """Return what plans searches; what is to be closed goes on `stack`.

    Args:
        settings: Which model.
        instructions: What it is told.
        stack: Closed when no more is planned.

    Raises:
        ConfigurationError: If it names a model that is not described, or a secret's reference leads nowhere.
    """
    name = planner_name(settings)
    if name == RULES:
        return RulesPlanner()
    model = open_chat_model(settings, name, "pipeline.agent.planner", stack)
    hosted = settings.deployment.generation.models[name].hosted
    patience_s = settings.pipeline.agent.patience_s
    return ModelPlanner(model, open_breaker(settings), patience_s, leaves=hosted, instructions=instructions)


def planner_name(settings: Settings) -> str:
    """Return the name of the model that plans, or `rules`."""
    name = settings.pipeline.agent.planner or settings.pipeline.answer.generator
    return RULES if name == EXTRACTIVE else name


class LazyStepGraph:
    """Is the `StepGraph` port on LangGraph, imported in the pool when the first task comes: it takes a second.

    Args:
        pool: Where it is imported.
    """

    def __init__(self, pool: WorkPool) -> None:
        self._pool = pool
        self._opening = asyncio.Lock()
        self._graph: StepGraph | None = None

    async def run(self, task: Deliberation, *, most: int) -> None:
        """Take steps until one says END, or `most` of them are done."""
        async with self._opening:
            if self._graph is None:
                self._graph = await self._pool.run(_open_graph)
        await self._graph.run(task, most=most)


def _open_graph() -> StepGraph:
    from ragstead.adapters.langgraph import LangGraphSteps  # noqa: PLC0415  (a second, when it is needed)

    return LangGraphSteps()
