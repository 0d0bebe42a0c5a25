"""A question to searches: by a language model, and by rules where there is none or it does not keep to the form."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, replace

from ragstead.errors import InvalidRequest, Overloaded, Unavailable
from ragstead.pipelines.route import CircuitBreaker
from ragstead.planning.parts import other_words
from ragstead.planning.plans import read_plan
from ragstead.ports.chat_model import ChatModel, ChatRequest
from ragstead.ports.generator import Message, Sampling
from ragstead.ports.planner import Plan, PlanRequest
from ragstead.prompting import PLANNING_INSTRUCTIONS, write_planning_prompt
from ragstead.streams import closing
from ragstead.token_estimates import TOKENS_A_TURN_AT_MOST

RULES = "rules"
_PLAN_TOKENS = 200
"""Tokens of a plan; nobody needs more for a few lines."""
_LEAST_TOKENS = 32
_LONGEST_PLAN = 4000
"""Characters after which a model that does not stop is hung up on."""


class RulesPlanner:
    """Is a `Planner` without a model: keywords, for the later parts of a question that too little was found for."""

    async def plan(self, request: PlanRequest) -> Plan:
        """Return a search for each of them."""
        return Plan(other_words(request.parts, request.missing), RULES)


@dataclass(frozen=True, slots=True)
class _Written:
    """What a model wrote, and what it cost."""

    text: str
    prompt_tokens: int
    completion_tokens: int


class ModelPlanner:
    """Is a `Planner` on a chat model; rules take its place where it may not, can't or does not answer in form.

    Args:
        model: What plans.
        breaker: Rests it when it fails.
        patience_s: Seconds for a plan.
        leaves: Whether it is hosted: then it hears of no collection that does not say so.
        instructions: What it is told.
    """

    def __init__(
        self,
        model: ChatModel,
        breaker: CircuitBreaker,
        patience_s: float,
        *,
        leaves: bool,
        instructions: str = PLANNING_INSTRUCTIONS,
    ) -> None:
        self._instructions = instructions
        self._model = model
        self._breaker = breaker
        self._patience_s = patience_s
        self._leaves = leaves
        self._rules = RulesPlanner()

    async def plan(self, request: PlanRequest) -> Plan:
        """Return the model's searches, or those of the rules and the reason."""
        if self._leaves and not request.may_leave:
            return await self._instead(request, "is hosted, and the collection does not say egress: allow")
        if not self._breaker.admits():
            return await self._instead(request, "was down a moment ago")
        written = await self._asked(request)
        if isinstance(written, str):
            return await self._instead(request, written)
        queries = read_plan(written.text)
        if queries is None:
            plan = await self._instead(request, "wrote no plan")
        else:
            plan = Plan(queries, self._model.name)
        return replace(plan, prompt_tokens=written.prompt_tokens, completion_tokens=written.completion_tokens)

    async def _instead(self, request: PlanRequest, why: str) -> Plan:
        return replace(await self._rules.plan(request), note=f"{self._model.name} {why}")

    async def _asked(self, request: PlanRequest) -> _Written | str:
        """Return what the model writes, or why it does not; its breaker hears of it."""
        try:
            async with asyncio.timeout(self._patience_s):
                written = await self._ask(request)
        except TimeoutError:
            self._breaker.failed()
            return "is too slow"
        except Overloaded:
            return "is busy"
        except Unavailable:
            self._breaker.failed()
            return "is down"
        except InvalidRequest:
            return "can't read a question of that length"
        self._breaker.succeeded()
        return written

    async def _ask(self, request: PlanRequest) -> _Written | str:
        """Return what the model writes, or that there are not tokens enough to ask it."""
        prompt = write_planning_prompt(
            request.question,
            request.made,
            request.quotes,
            request.messages[:-1],
            request.max_queries,
            instructions=self._instructions,
        )
        [spoken] = await self._model.count(["\n".join(one.content for one in prompt)])
        read = spoken + TOKENS_A_TURN_AT_MOST * len(prompt)
        room = min(request.max_tokens, self._model.context_tokens) - read
        if room < _LEAST_TOKENS:
            return "would go over the tokens for planning"
        return await self._listen(prompt, read, min(_PLAN_TOKENS, room))

    async def _listen(self, prompt: tuple[Message, ...], read: int, most: int) -> _Written:
        """Return the model's words; what its server did not count is estimated, rather too high."""
        text, prompt_tokens, completion_tokens = "", 0, 0
        asked = ChatRequest(prompt, Sampling(temperature=0.0, max_tokens=most))
        async with aclosing(closing(self._model.chat(asked))) as pieces:
            async for piece in pieces:
                text += piece.text
                if piece.finish_reason:
                    prompt_tokens, completion_tokens = piece.prompt_tokens, piece.completion_tokens
                if len(text) > _LONGEST_PLAN:
                    break
        return _Written(text, prompt_tokens or read, completion_tokens or most)
