"""Requests that name a model instead of a pipeline: what may be passed on, and the answer as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress

from fastapi import Response
from prometheus_client import CollectorRegistry, Counter
from starlette.types import Receive, Scope, Send

from ragstead.errors import InvalidRequest, RagsteadError, Unavailable
from ragstead.ports.model_relay import ModelRelay, Relayed
from ragstead.streams import closing
from ragstead.wire import ChatBody
from ragstead_gateway.asking import refuse_unable
from ragstead_serving.disconnects import ClientGone, while_connected
from ragstead_serving.errors import error_body
from ragstead_serving.sse import AT_ONCE, event

_LONGEST_EVENT_BYTES = 1 << 20
_DONE = b"data: [DONE]"
_END_BYTES = 32


class RelayCounter:
    """Counts requests that were passed on, by model and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._relayed = Counter(
            "ragstead_relayed", "Requests passed on to a model.", ["model", "status"], registry=registry
        )

    def count(self, model: str, status: int) -> None:
        """Book one."""
        self._relayed.labels(model, str(status)).inc()


def refuse_unable_model(body: ChatBody, able: Mapping[str, bool]) -> None:
    """Refuse what a bare model can't do, evidence among it.

    Raises:
        InvalidRequest: Naming the parameter.
    """
    if "rag" in body.model_fields_set:
        raise InvalidRequest(
            f"rag: {body.model!r} is a model and searches nothing; ask 'ragstead' for evidence",
            param="rag",
            code="unsupported_parameter",
        )
    refuse_unable(body, able, hint="; where it can, say so in its `can`")


class PassedOn(Response):
    """Sends a request on when it is sent itself, and then what comes back: whole, or a stream event by event.

    A stream that breaks off ends with an error event, without `[DONE]`. A server that is down is answered from the
    error table, as nothing has been sent by then. When the client hangs up, so does this.
    """

    def __init__(self, relay: ModelRelay, sent: Mapping[str, object], counter: RelayCounter) -> None:
        super().__init__()
        self._relay = relay
        self._sent = sent
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with suppress(ClientGone):  # nobody is left to tell
            await while_connected(receive, self._pass_on(scope, receive, send))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._relay.send(self._sent)
        self._counter.count(self._relay.name, answer.status)
        if answer.media_type.startswith("text/event-stream"):
            await _stream(answer, send)
        else:
            whole = await _whole(answer.body)
            await Response(whole, answer.status, _headers(answer), answer.media_type)(scope, receive, send)


async def _stream(answer: Relayed, send: Send) -> None:
    head = Response(status_code=answer.status, headers=AT_ONCE | _headers(answer), media_type=answer.media_type)
    del head.headers["content-length"]
    await send({"type": "http.response.start", "status": answer.status, "headers": head.raw_headers})
    waiting, end = b"", b""
    async with aclosing(closing(answer.body)) as chunks:
        try:
            async for chunk in chunks:
                whole, waiting = _events(waiting + chunk)
                if whole:
                    end = whole[-_END_BYTES:]
                    await send({"type": "http.response.body", "body": whole, "more_body": True})
            if _DONE not in end + waiting:
                raise Unavailable("generation", "the model's server broke off in the middle of its answer")
        except RagsteadError as exc:
            waiting = event(error_body(exc))  # in the place of half an event
    await send({"type": "http.response.body", "body": waiting, "more_body": False})


def _events(received: bytes) -> tuple[bytes, bytes]:
    """Return the events that are whole, and the rest; of what has no end in a megabyte all."""
    ends = [place + len(mark) for mark in (b"\n\n", b"\r\n\r\n") if (place := received.rfind(mark)) >= 0]
    end = max(ends, default=len(received) if len(received) > _LONGEST_EVENT_BYTES else 0)
    return received[:end], received[end:]


def _headers(answer: Relayed) -> dict[str, str]:
    return {"retry-after": answer.retry_after} if answer.retry_after else {}


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    async with aclosing(closing(body)) as chunks:
        return b"".join([chunk async for chunk in chunks])
