"""Requests that name a model: passed on to it, what users wrote judged before, and its words after."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Any, cast

from ragstead.model import Answer, GuardReport, Reason, Receipt
from ragstead.pipelines.bare_guard import DoorGuard, judged_messages
from ragstead.pipelines.costs import CostBook, Price
from ragstead.pipelines.guarded import found_words
from ragstead.pipelines.replies import (
    Renamed,
    asking_for_usage,
    tokens_in,
    wants_usage,
    whole_events,
    without_usage,
)
from ragstead.pipelines.reply_redaction import RedactedReply, is_for_programs
from ragstead.pipelines.traced.bare_models import TracedCall, begin_call
from ragstead.ports.guard import QuestionVerdict
from ragstead.ports.model_relay import ModelRelay, Relayed
from ragstead.ports.tracer import TraceContext, Tracer
from ragstead.streams import closing
from ragstead.tracing import NoTracer, response_id

GUARD = "guard"


@dataclass(frozen=True, slots=True)
class BareModelPlan:
    """What is done beside passing on.

    Attributes:
        door: Returns what guards; None where nothing does.
        redacts: Whether personal data is taken out of replies, where the guard's policy says so.
        max_user_chars: Of what users wrote in one request, where it is guarded.
        tracer: Takes a trace of each call.
        price: Of the model's tokens; None where nobody knows.
        book: Where what it cost is booked.
    """

    door: Callable[[], DoorGuard | None] = lambda: None
    redacts: bool = False
    max_user_chars: int = 100_000
    tracer: Tracer = field(default_factory=NoTracer)
    price: Price | None = None
    book: CostBook = field(default_factory=CostBook)


@dataclass(slots=True)
class _Call:
    """One request on its way."""

    body: Mapping[str, object]
    traced: TracedCall | None
    trace: TraceContext
    door: DoorGuard | None
    sent: list[bytes] = field(default_factory=list)
    """What came back, redacted, as far as it is to be read."""


class BareModel:
    """Passes requests on to one model.

    Args:
        relay: Its server.
        plan: What is done beside.
    """

    def __init__(self, relay: ModelRelay, plan: BareModelPlan | None = None) -> None:
        self._relay = relay
        self._plan = plan or BareModelPlan()

    @property
    def name(self) -> str:
        """What the `model` of a request names."""
        return self._relay.name

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """What the model can do, by OpenAI's parameter names."""
        return self._relay.capabilities

    async def ask(self, body: Mapping[str, object], trace: TraceContext) -> Relayed | Answer:
        """Return what the server answers, or the refusal of a request that it does not hear of.

        Args:
            body: The request, whose shape has been checked.
            trace: Where its trace begins.

        Raises:
            InvalidRequest: If users wrote more than is passed on.
            Unavailable: If the server can't be reached, does not know us, or fails; or, while the body is read, if it
                breaks off or is silent for too long.
        """
        call = _Call(body, begin_call(self._plan.tracer, trace, self.name, body), trace, self._plan.door())
        try:
            refusal = await self._judge(call)
            if refusal is not None:
                return refusal
            counted = call.traced is not None or self._plan.price is not None
            asks = asking_for_usage(call.body) if counted and not wants_usage(body) else call.body
            relayed = await self._relay.send(asks)
        except BaseException as error:
            if call.traced is not None:
                call.traced.end(error)
            raise
        if relayed.status != 200 and call.traced is None:
            return relayed
        streamed = relayed.media_type.startswith("text/event-stream")
        redaction = self._redaction(call) if relayed.status == 200 else None
        if redaction is None and not counted:
            return relayed
        followed = self._stream(relayed, call, redaction) if streamed else self._whole(relayed, call, redaction)
        return replace(relayed, body=followed)

    async def _judge(self, call: _Call) -> Answer | None:
        if call.door is None:
            return None
        messages = cast("list[Mapping[str, Any]]", call.body["messages"])
        work = judged_messages(messages, call.door, self._plan.max_user_chars)
        judged = await (work if call.traced is None else call.traced.within(work))
        if call.traced is not None:
            call.traced.found(judged.findings)
        if judged.refused is not None:
            refusal = self._refusal(judged.refused, call)
            if call.traced is not None:
                call.traced.refused(refusal.content)
            return refusal
        if judged.messages != messages:
            call.body = {**call.body, "messages": judged.messages}
        return None

    def _refusal(self, verdict: QuestionVerdict, call: _Call) -> Answer:
        assert call.door is not None
        words = f"I did not pass this on: the message holds {found_words(verdict)}. Ask again without that."
        report = GuardReport(findings=verdict.findings)
        receipt = Receipt(call.door.release_id, 0, call.trace.trace_id, GUARD, guard=report)
        return Answer(words, (), True, Reason.GUARD_INPUT, 0.0, "stop", receipt)

    def _redaction(self, call: _Call) -> RedactedReply | None:
        policy = call.door.replies if call.door is not None and self._plan.redacts else None
        return None if policy is None or is_for_programs(call.body) else RedactedReply(policy, call.body)

    async def _stream(
        self, relayed: Relayed, call: _Call, redaction: RedactedReply | None
    ) -> AsyncGenerator[bytes, None]:
        renamed = Renamed(response_id(call.trace)) if call.traced is not None else None
        keeps = call.traced is not None or self._plan.price is not None
        hides = keeps and not wants_usage(call.body)

        def passed(events: bytes) -> bytes:
            if keeps and events:
                call.sent.append(events)
            return without_usage(events) if hides else events

        error: BaseException | None = None
        try:
            async with aclosing(whole_events(relayed.body)) as chunks:
                async for events in chunks:
                    if call.traced is not None:
                        call.traced.heed(events)
                    named = events if renamed is None else renamed.events(events)
                    out = passed(named if redaction is None else redaction.events(named))
                    if out:
                        yield out
            if redaction is not None and (rest := passed(redaction.flush())):
                yield rest
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._book(call, relayed.status, error, streamed=True)

    async def _whole(
        self, relayed: Relayed, call: _Call, redaction: RedactedReply | None
    ) -> AsyncGenerator[bytes, None]:
        error: BaseException | None = None
        try:
            async with aclosing(closing(relayed.body)) as chunks:
                body = b"".join([chunk async for chunk in chunks])
            if redaction is not None:
                body = redaction.whole(body)
            call.sent.append(body)
            if call.traced is not None and relayed.status == 200:
                body = Renamed(response_id(call.trace)).whole(body)
            yield body
        except GeneratorExit:
            raise  # the one who reads has all of it
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._book(call, relayed.status, error, streamed=False)

    def _book(self, call: _Call, status: int, error: BaseException | None, *, streamed: bool) -> None:
        """Book what it cost, and hand the trace over."""
        sent = b"".join(call.sent)
        counted = call.traced is not None or self._plan.price is not None
        tokens = tokens_in(sent, streamed=streamed) if counted and status == 200 else None
        cost = self._plan.price.of(*tokens) if self._plan.price is not None and tokens is not None else None
        if cost is not None:
            self._plan.book.add(self.name, sum(cost))
        if call.traced is not None:
            call.traced.replied(sent, status, streamed=streamed)
            call.traced.counted(tokens, cost)
            call.traced.end(error)
