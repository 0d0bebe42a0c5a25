"""Short ways past the routes, for requests that take less than FastAPI takes to find and check what they ask.

A request that is as it should be is answered at once. All others, errors among them, go the usual way, so that there is
one place that words them; the routes are what OpenAPI shows, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragstead.errors import RagsteadError, TooLarge
from ragstead_serving.disconnects import ClientGone
from ragstead_serving.errors import error_response

_SHORT_BYTES = 2_000
"""Longest body of a request that is in a hurry: some 400 tokens."""


@dataclass(frozen=True, slots=True)
class ShortWay:
    """One way past the routes.

    Attributes:
        find: Returns what answers a JSON body, or None where the usual way shall.
        hurry: Gives a block during which other work makes way; open while a short request is read and answered, from
            its head on, as its body may come later.
    """

    find: Callable[[bytes], ASGIApp | None]
    hurry: Callable[[], AbstractContextManager[None]] = nullcontext


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics want to know of a route."""

    path: str


class ShortWays:
    """Answers JSON posts to some paths by their short ways.

    Args:
        app: The usual way.
        ways: By path; what answers may raise errors of ours before it sends anything.
    """

    def __init__(self, app: ASGIApp, ways: Mapping[str, ShortWay]) -> None:
        self._app = app
        self._ways = ways

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or leave it to the app."""
        way = self._ways.get(scope["path"]) if scope["type"] == "http" else None
        if way is None or not _is_json_post(scope):
            await self._app(scope, receive, send)
            return
        with way.hurry() if _is_short(scope) else nullcontext():
            await self._answer(way, scope, receive, send)

    async def _answer(self, way: ShortWay, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body, ended = await _read(receive)
        except HTTPException as error:
            await error_response(TooLarge(error.detail))(scope, receive, send)
            return
        answer = way.find(body) if ended is None else None
        if answer is None:
            await self._app(scope, _Again(body, ended, receive), send)
            return
        scope["route"] = _Route(scope["path"])
        with suppress(ClientGone):  # nobody is left to tell
            try:
                await answer(scope, receive, send)
            except RagsteadError as error:
                await error_response(error)(scope, receive, send)


class _Again:
    """Receives a body that has been read already, and then what comes after it."""

    def __init__(self, body: bytes, ended: Message | None, receive: Receive) -> None:
        self._waiting = [ended or {"type": "http.request", "body": body, "more_body": False}]
        self._receive = receive

    async def __call__(self) -> Message:
        return self._waiting.pop() if self._waiting else await self._receive()


async def _read(receive: Receive) -> tuple[bytes, Message | None]:
    """Return the body, or what came in its place: the end of the connection."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"", message
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts), None


def _is_short(scope: Scope) -> bool:
    length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
    return len(length) <= len(str(_SHORT_BYTES)) and length.isdigit() and int(length) <= _SHORT_BYTES


def _is_json_post(scope: Scope) -> bool:
    if scope["method"] != "POST":
        return False
    sent = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    return bool(sent.partition(b";")[0].strip().lower() == b"application/json")
