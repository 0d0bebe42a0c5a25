"""Steps as a LangGraph graph. Importing this takes most of a second: bootstrap does it when an agent is first asked."""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.errors import GraphRecursionError
from langgraph.graph import END, START, StateGraph
from langsmith import tracing_context

from ragstead.ports.step_graph import Deliberation, Move


class _State(TypedDict):
    """What goes round: the task, and what it does next."""

    task: Deliberation
    move: Move


class LangGraphSteps:
    """Is the `StepGraph` port.

    LangChain's libraries report to LangSmith where the environment says so, questions and evidence with it. Here they
    never do: what leaves this house is for the collection's owner to say.
    """

    def __init__(self) -> None:
        graph = StateGraph(_State)
        graph.add_node(Move.PLAN.value, _plan)
        graph.add_node(Move.SEARCH.value, _search)
        graph.add_node(Move.JUDGE.value, _judge)
        graph.add_edge(START, Move.PLAN.value)
        ways: dict[Any, str] = {move: move.value for move in Move if move is not Move.END} | {Move.END: END}
        for move in (Move.PLAN, Move.SEARCH, Move.JUDGE):
            graph.add_conditional_edges(move.value, _next, ways)
        self._graph = graph.compile()

    async def run(self, task: Deliberation, *, most: int) -> None:
        """Take steps until one says END, or `most` of them are done."""
        with tracing_context(enabled=False):
            try:
                await self._graph.ainvoke({"task": task, "move": Move.PLAN}, {"recursion_limit": most})
            except GraphRecursionError:
                return  # the task stays as it stands


async def _plan(state: _State) -> dict[str, Move]:
    return {"move": await state["task"].plan()}


async def _search(state: _State) -> dict[str, Move]:
    return {"move": await state["task"].search()}


async def _judge(state: _State) -> dict[str, Move]:
    return {"move": await state["task"].judge()}


def _next(state: _State) -> Move:
    return state["move"]
