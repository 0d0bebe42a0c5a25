"""A name for each request, in the log, in a failure's message and in the `x-request-id` header."""

from __future__ import annotations

import logging
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragstead.ids import long_random_id
from ragstead_serving.errors import crash_body
from ragstead_serving.responses import JsonResponse
from ragstead_serving.sse import event

HEADER = "x-request-id"
_RAW_HEADER = HEADER.encode()
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")
_log = logging.getLogger(__name__)


class RequestIds:
    """Names each request: by the caller's own `x-request-id` where it is well formed, else by 32 hexadecimal digits."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its name."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _WELL_FORMED.fullmatch(given) else long_random_id()
        scope.setdefault("state", {})["request_id"] = request_id

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), (_RAW_HEADER, request_id.encode())]
            await send(message)

        await self._app(scope, receive, send_named)


class CrashBarrier:
    """Turns an error that nobody foresaw into a 500 that leaks nothing, and logs it under the request's name."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun: list[Message] = []

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message)
            await send(message)

        try:
            await self._app(scope, receive, send_noting)
        except Exception:  # noqa: BLE001  (a request's outermost loop: one that fails must not end the process)
            request_id = scope.get("state", {}).get("request_id", "")
            _log.exception("request %s failed: %s %s", request_id, scope["method"], scope["path"])
            await self._apologise(request_id, begun, scope, receive, send)

    async def _apologise(
        self, request_id: str, begun: list[Message], scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = crash_body(request_id)
        if not begun:
            await JsonResponse(body, 500)(scope, receive, send)
        elif MutableHeaders(scope=begun[0]).get("content-type", "").startswith("text/event-stream"):
            await send({"type": "http.response.body", "body": event(body), "more_body": False})
        else:
            raise ConnectionAbortedError("the response broke off")  # the server cuts the connection: half is no answer
