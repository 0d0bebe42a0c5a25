"""Writing with spans: models, the answer that they write, its verification, plans and kept answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial

from ragstead.model import Hit
from ragstead.pipelines.traced.contents import generation_content, messages_content
from ragstead.pipelines.traced.costs import book_cost
from ragstead.pipelines.verify import VerifiedText, Verifier
from ragstead.ports.cache import Cache
from ragstead.ports.chat_model import ChatModel, ChatRequest
from ragstead.ports.generator import GenerationRequest, Generator, Piece, Sampling
from ragstead.ports.planner import Plan, Planner, PlanRequest
from ragstead.ports.step_graph import Deliberation, Move, StepGraph
from ragstead.ports.tracer import Fact, Kind, Span
from ragstead.tracing import child_of, current, ended, failed, followed, span


class TracedGenerator:
    """Is a `Generator` that books its answer; where models write it, their own spans say what each took."""

    def __init__(self, generator: Generator) -> None:
        self._generator = generator

    @property
    def name(self) -> str:
        """The generator's own."""
        return self._generator.name

    def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """Yield the generator's pieces, and raise what it raises."""
        pieces, parent = self._generator.generate(request), current()
        if parent is None:
            return pieces
        step = child_of(parent, "generate", Kind.GENERATION)
        step.input = partial(generation_content, request)
        step.trace.passages = tuple(hit.stored.chunk.text for hit in request.passages)
        step.model = self._generator.name
        return followed(pieces, step, _Words(step).heed)


class TracedChatModel:
    """Is a `ChatModel` that books what it is told and what it says.

    A generation within a generation would be counted twice: the outer one becomes a mere step.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """The model's own."""
        return self._model.name

    @property
    def context_tokens(self) -> int:
        """The model's own."""
        return self._model.context_tokens

    def chat(self, request: ChatRequest) -> AsyncIterator[Piece]:
        """Yield the model's pieces, and raise what it raises."""
        pieces, parent = self._model.chat(request), current()
        if parent is None:
            return pieces
        if parent.kind is Kind.GENERATION:
            parent.kind = Kind.CHAIN
        step = child_of(parent, "chat", Kind.GENERATION)
        step.input = partial(messages_content, request.messages)
        step.model = self._model.name
        step.facts |= _parameters(request.sampling)
        return followed(pieces, step, _Words(step).heed)

    async def count(self, texts: Sequence[str]) -> list[int]:
        """Return the model's counts, and raise what it raises."""
        return await self._model.count(texts)


class _Words:
    """Books pieces of an answer on a span."""

    def __init__(self, step: Span) -> None:
        self._step = step
        self._words: list[str] = []
        step.output = self._content

    def heed(self, piece: Piece) -> bool:
        step = self._step
        if piece.text:
            step.first_token_ns = step.first_token_ns or step.now()
            self._words.append(piece.text)
        if piece.finish_reason is None:
            return False
        step.facts["finish_reason"] = piece.finish_reason
        step.model = piece.model or step.model
        if piece.route:
            step.facts["route"] = piece.route
            step.is_warning = "fallback" in piece.route
        if step.kind is Kind.GENERATION:
            step.tokens = (piece.prompt_tokens, piece.completion_tokens)
            book_cost(step, piece.cost_usd)
        return True

    def _content(self) -> str:
        return "".join(self._words)


def _parameters(sampling: Sampling) -> dict[str, Fact]:
    """Return what of the sampling is set, as `parameter.…`."""
    given: Mapping[str, Fact | None] = {
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "seed": sampling.seed,
        "max_tokens": sampling.max_tokens,
    }
    return {f"parameter.{name}": value for name, value in given.items() if value is not None}


class TracedVerifier(Verifier):
    """Is a `Verifier` that books what it let through; its span lies beside the generation's, as they take turns."""

    async def run(
        self, pieces: AsyncIterator[Piece], hits: Sequence[Hit], checked: VerifiedText
    ) -> AsyncGenerator[str | Piece, None]:
        """Yield what the verifier yields, and raise what it raises."""
        parent = current()
        step = None if parent is None else child_of(parent, "verify", Kind.EVALUATOR)
        try:
            async with aclosing(super().run(pieces, hits, checked)) as released:
                async for one in released:
                    yield one
        except BaseException as error:
            if step is not None and not isinstance(error, GeneratorExit):
                failed(step, error)
            raise
        finally:
            if step is not None:
                step.output = checked.content
                step.facts |= {"citations": len(checked.citations), "dropped": checked.dropped}
                ended(step)


class TracedPlanner:
    """Is a `Planner` that books its plans."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    async def plan(self, request: PlanRequest) -> Plan:
        """Return the planner's searches."""
        with span("planner", Kind.TOOL) as step:
            plan = await self._planner.plan(request)
            if step is not None:
                step.input = {"question": request.question, "missing": list(request.missing)}
                step.output = list(plan.queries)
                step.facts |= {"by": plan.by, "note": plan.note}
                step.is_warning = bool(plan.note)
        return plan


class TracedStepGraph:
    """Is a `StepGraph` each of whose steps is a span."""

    def __init__(self, graph: StepGraph) -> None:
        self._graph = graph

    async def run(self, task: Deliberation, *, most: int) -> None:
        """Take the graph's steps, and raise what it raises."""
        await self._graph.run(task if current() is None else _TracedTask(task), most=most)


class _TracedTask:
    """Is a `Deliberation` that books its steps."""

    def __init__(self, task: Deliberation) -> None:
        self._task = task

    async def plan(self) -> Move:
        """Plan."""
        with span("plan", Kind.CHAIN) as step:
            return _booked(step, await self._task.plan())

    async def search(self) -> Move:
        """Search."""
        with span("search", Kind.TOOL) as step:
            return _booked(step, await self._task.search())

    async def judge(self) -> Move:
        """Judge."""
        with span("judge", Kind.EVALUATOR) as step:
            return _booked(step, await self._task.judge())


def _booked(step: Span | None, move: Move) -> Move:
    if step is not None:
        step.facts["next"] = move.value
    return move


class TracedCache:
    """Is a `Cache` of answers that books whether it knew one."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.set_many = cache.set_many

    async def get_many(self, keys: Sequence[bytes]) -> list[bytes | None]:
        """Return what the cache knows."""
        with span("cache") as step:
            found = await self._cache.get_many(keys)
            if step is not None:
                step.facts["outcome"] = "hit" if all(one is not None for one in found) else "miss"
        return found
