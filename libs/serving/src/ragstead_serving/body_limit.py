"""An upper bound on request bodies, announced or not."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragstead.errors import InvalidRequest, TooLarge
from ragstead_serving.errors import error_response
from ragstead_serving.options import ServiceOptions


class BodyLimit:
    """Answers 413 to a body over its limit: at once where `Content-Length` tells, else while it comes in."""

    def __init__(self, app: ASGIApp, options: ServiceOptions) -> None:
        self._app = app
        self._options = options

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a body that ends at its limit."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._limit(scope)
        announced = Headers(scope=scope).get("content-length", "0")
        if not announced.isdecimal():
            await error_response(InvalidRequest(f"Content-Length {announced!r:.40} is no number"))(scope, receive, send)
        elif int(announced) > limit:
            await error_response(TooLarge(_message(limit)))(scope, receive, send)
        else:
            await self._app(scope, _Counted(receive, limit), send)

    def _limit(self, scope: Scope) -> int:
        if self._options.is_upload(scope["method"], scope["path"]):
            return self._options.max_upload_bytes
        return self._options.max_body_bytes


class _Counted:
    """Receives until `limit` bytes have come."""

    def __init__(self, receive: Receive, limit: int) -> None:
        self._receive = receive
        self._left = limit
        self._limit = limit

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            # FastAPI lets no other class through while it reads a body
            raise HTTPException(413, _message(self._limit))
        return message


def _message(limit: int) -> str:
    return f"the body is over this door's limit of {limit} bytes"
