"""Server-sent events as OpenAI's API writes them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from fastapi import Response
from starlette.types import Receive, Scope, Send

from ragstead.errors import RagsteadError
from ragstead_serving.disconnects import ClientGone, while_connected
from ragstead_serving.errors import error_body
from ragstead_serving.responses import to_json

DONE = b"data: [DONE]\n\n"
AT_ONCE = {
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",  # a proxy in front passes each event on at once
}
"""Headers of every stream."""

_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    *((name.encode(), value.encode()) for name, value in AT_ONCE.items()),
]


def event(content: object) -> bytes:
    """Return `content` as one event: its JSON, which has no line ends, in a `data:` field."""
    return b"data: " + to_json(content) + b"\n\n"


class EventStream(Response):
    """Sends each item of `events` as it comes, then `[DONE]`.

    The status is decided by the first event: an error before it is answered from the error table, as if nothing was
    streamed; one after it becomes a last event `{"error": …}`, without `[DONE]`. When the client hangs up the
    iterator is closed, and with it the work behind it.
    """

    def __init__(self, events: AsyncGenerator[object, None]) -> None:
        super().__init__(media_type="text/event-stream")
        self._events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  (ASGI's signature)
        """Send the stream."""
        with suppress(ClientGone):  # nobody is left to tell
            await while_connected(receive, self._send(send))

    async def _send(self, send: Send) -> None:
        started = False
        async with aclosing(self._events) as events:
            try:
                async for content in events:
                    if not started:
                        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
                        started = True
                    await send({"type": "http.response.body", "body": event(content), "more_body": True})
            except RagsteadError as exc:
                if not started:
                    raise
                await send({"type": "http.response.body", "body": event(error_body(exc)), "more_body": False})
                return
        if not started:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        await send({"type": "http.response.body", "body": DONE, "more_body": False})
