"""Requests that name a model instead of a pipeline: what may be passed on, and the answer as it comes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, suppress

from fastapi import Request, Response
from prometheus_client import CollectorRegistry, Counter
from starlette.types import Receive, Scope, Send

from ragstead.errors import InvalidRequest, RagsteadError, Unavailable
from ragstead.model import Answer
from ragstead.pipelines.replies import split_events
from ragstead.ports.model_relay import Relayed
from ragstead.streams import closing
from ragstead.tracing import read_traceparent, response_id
from ragstead.wire import ChatBody
from ragstead_gateway.answers import Completion
from ragstead_gateway.asking import refuse_unable, traceparent_of
from ragstead_gateway.facade import BareModel
from ragstead_serving.disconnects import ClientGone, while_connected
from ragstead_serving.errors import error_body
from ragstead_serving.responses import JsonResponse
from ragstead_serving.sse import AT_ONCE, EventStream, event

_DONE = b"data: [DONE]"
_END_BYTES = 32


class RelayCounter:
    """Counts requests that were passed on, by model and status."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._relayed = Counter(
            "ragstead_relayed",
            "Requests passed on to a model, by its status; guard_input: refused, and not passed on.",
            ["model", "status"],
            registry=registry,
        )

    def count(self, model: str, status: str) -> None:
        """Book one."""
        self._relayed.labels(model, status).inc()


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

    def __init__(self, model: BareModel, asked: ChatBody, sent: Mapping[str, object], counter: RelayCounter) -> None:
        super().__init__()
        self._model = model
        self._asked = asked
        self._sent = sent
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        with suppress(ClientGone):  # nobody is left to tell
            await while_connected(receive, self._pass_on(scope, receive, send))

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = self._asked
        trace = read_traceparent(traceparent_of(Request(scope)), asked.user or "", asked.metadata)
        answer = await self._model.ask(self._sent, trace)
        if isinstance(answer, Answer):
            self._counter.count(self._model.name, str(answer.reason))
            usage = bool(asked.stream_options and asked.stream_options.include_usage)
            completion = Completion(asked.model, usage, response_id(trace))
            await _refused(completion, answer, streamed=bool(asked.stream))(scope, receive, send)
            return
        self._counter.count(self._model.name, str(answer.status))
        if answer.media_type.startswith("text/event-stream"):
            await _stream(answer, send)
        else:
            whole = await _whole(answer.body)
            await Response(whole, answer.status, _headers(answer), answer.media_type)(scope, receive, send)


def _refused(completion: Completion, answer: Answer, *, streamed: bool) -> Response:
    """Return a refusal as answers have it."""
    return EventStream(completion.chunks(_pieces(answer))) if streamed else JsonResponse(completion.whole(answer))


async def _pieces(answer: Answer) -> AsyncGenerator[str | Answer, None]:
    yield answer.content
    yield answer


async def _stream(answer: Relayed, send: Send) -> None:
    head = Response(status_code=answer.status, headers=AT_ONCE | _headers(answer), media_type=answer.media_type)
    del head.headers["content-length"]
    await send({"type": "http.response.start", "status": answer.status, "headers": head.raw_headers})
    waiting, end = b"", b""
    async with aclosing(closing(answer.body)) as chunks:
        try:
            async for chunk in chunks:
                whole, waiting = split_events(waiting + chunk)
                if whole:
                    end = whole[-_END_BYTES:]
                    await send({"type": "http.response.body", "body": whole, "more_body": True})
            if _DONE not in end + waiting:
                raise Unavailable("generation", "the model's server broke off in the middle of its answer")
        except RagsteadError as exc:
            waiting = event(error_body(exc))  # in the place of half an event
    await send({"type": "http.response.body", "body": waiting, "more_body": False})


def _headers(answer: Relayed) -> dict[str, str]:
    return {"retry-after": answer.retry_after} if answer.retry_after else {}


async def _whole(body: AsyncIterator[bytes]) -> bytes:
    async with aclosing(closing(body)) as chunks:
        return b"".join([chunk async for chunk in chunks])
