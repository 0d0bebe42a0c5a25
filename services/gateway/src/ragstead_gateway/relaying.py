"""Requests that name a model instead of a pipeline: what may be passed on, and the answer as it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, suppress

import orjson
from fastapi import Request, Response
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


async def relay_chat(request: Request, body: ChatBody, relay: ModelRelay, counter: RelayCounter) -> Response:
    """Pass a chat completion on to the model that it names; its words, streamed or not, are the server's own.

    Args:
        request: Its body has been read.
        body: The same, checked.
        relay: The model.
        counter: Books it.

    Raises:
        InvalidRequest: If it asks for what the model can't do, or for evidence.
        Unavailable: If the model's server is down.
    """
    _refuse_unable(body, relay.capabilities)
    sent: dict[str, object] = orjson.loads(await request.body())
    answer = await while_connected(request.receive, relay.send(sent))
    counter.count(relay.name, answer.status)
    if answer.media_type.startswith("text/event-stream"):
        return PassedOn(answer)
    whole = await while_connected(request.receive, _whole(answer.body))
    return Response(whole, answer.status, _headers(answer), answer.media_type)


class PassedOn(Response):
    """Sends a stream event by event; one that breaks off ends with an error event, without `[DONE]`."""

    def __init__(self, answer: Relayed) -> None:
        headers = {**AT_ONCE, **_headers(answer)}
        super().__init__(status_code=answer.status, headers=headers, media_type=answer.media_type)
        del self.headers["content-length"]
        self._body = answer.body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (ASGI's signature)
        """Send it."""
        with suppress(ClientGone):  # nobody is left to tell
            await while_connected(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        waiting, end = b"", b""
        async with aclosing(closing(self._body)) as chunks:
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


def _refuse_unable(body: ChatBody, able: Mapping[str, bool]) -> None:
    if "rag" in body.model_fields_set:
        raise InvalidRequest(
            f"rag: {body.model!r} is a model and searches nothing; ask 'ragstead' for evidence",
            param="rag",
            code="unsupported_parameter",
        )
    refuse_unable(body, able, hint="; where it can, say so in its `can`")


def _headers(answer: Relayed) -> dict[str, str]:
    return {"retry-after": answer.retry_after} if answer.retry_after else {}


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    async with aclosing(closing(body)) as chunks:
        return b"".join([chunk async for chunk in chunks])
