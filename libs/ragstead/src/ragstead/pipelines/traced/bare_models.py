"""One trace for each request that is passed on to a model."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping
from functools import partial
from typing import TypeVar, cast

from ragstead.pipelines.replies import finish_in, is_begun, words_of
from ragstead.pipelines.traced.costs import book_cost
from ragstead.ports.tracer import Json, Kind, Span, TraceContext, Tracer
from ragstead.tracing import begin_trace, ended, failed, within

T = TypeVar("T")
NAME = "completion"
_PARAMETERS = (
    "temperature",
    "top_p",
    "seed",
    "max_tokens",
    "max_completion_tokens",
    "frequency_penalty",
    "presence_penalty",
    "n",
)
_DONE = b"[DONE]"


def begin_call(tracer: Tracer, context: TraceContext, model: str, body: Mapping[str, object]) -> TracedCall | None:
    """Return what books a call; None where its trace is not wanted."""
    return TracedCall(tracer, context, model, body) if tracer.samples(context.trace_id) else None


class TracedCall:
    """Books one call on the root of its trace, a generation; read are the bytes of the reply when it is written down.

    Args:
        tracer: Takes the trace.
        context: Where it begins.
        model: That is asked.
        body: The request, as its caller sent it.
    """

    def __init__(self, tracer: Tracer, context: TraceContext, model: str, body: Mapping[str, object]) -> None:
        self._tracer = tracer
        self._root = root = begin_trace(context, NAME, Kind.GENERATION)
        root.model = model
        root.input = partial(_asked, body)
        given = {name: body.get(name) for name in _PARAMETERS}
        root.facts |= {f"parameter.{name}": one for name, one in given.items() if isinstance(one, int | float)}
        root.facts["stream"] = bool(body.get("stream"))

    async def within(self, work: Awaitable[T]) -> T:
        """Return what the work does, its spans within this one."""
        with within(self._root):
            return await work

    def found(self, findings: tuple[str, ...]) -> None:
        """Book what the guard found."""
        if findings:
            self._root.facts["findings"] = " ".join(findings)

    def heed(self, events: bytes) -> None:
        """Look whether the first words have come."""
        if not self._root.first_token_ns and is_begun(events):
            self._root.first_token_ns = self._root.now()

    def refused(self, words: str) -> None:
        """Book that it was not passed on, and end."""
        self._root.output = words
        self._root.facts |= {"refused": True, "reason": "guard_input"}
        self._root.trace.scores["refused"] = True
        self.end(None)

    def replied(self, data: bytes, status: int, *, streamed: bool) -> None:
        """Book the reply."""
        root = self._root
        if data:
            root.output = partial(_said, data, streamed=streamed) if status == 200 else data.decode("utf-8", "replace")
        if status != 200:
            root.error = f"HTTP {status}"
        elif streamed and _DONE not in data[-64:]:
            root.error, root.message = "Unavailable", "the model's server broke off in the middle of its answer"
        if reason := finish_in(data[-4096:]):
            root.facts["finish_reason"] = reason

    def counted(self, tokens: tuple[int, int] | None, cost_usd: tuple[float, float] | None) -> None:
        """Book what the reply took, as far as anybody knows."""
        self._root.tokens = tokens
        book_cost(self._root, cost_usd)

    def end(self, error: BaseException | None) -> None:
        """Hand the trace over; `error` is what the call ended with, a hang-up among it."""
        root: Span = self._root
        if error is not None and not (isinstance(error, GeneratorExit | asyncio.CancelledError) and _is_whole(root)):
            failed(root, error)
        ended(root)
        self._tracer.record(root.trace)


def _is_whole(root: Span) -> bool:
    """Whether nothing was missed by who hung up."""
    return root.output is not None and not root.error


def _asked(body: Mapping[str, object]) -> Json:
    messages, tools = (cast("Json", body.get(name)) for name in ("messages", "tools"))  # they came as JSON
    return {"messages": messages, "tools": tools} if tools else messages


def _said(data: bytes, *, streamed: bool) -> Json:
    said = words_of(data, streamed=streamed)
    return said["content"] if said.keys() == {"content"} else said
