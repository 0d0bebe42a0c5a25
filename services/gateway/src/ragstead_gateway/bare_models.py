"""The short way for requests that name a bare model: past the routes, which take longer than passing on does."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import orjson
from fastapi import Response
from pydantic import ValidationError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragstead.errors import RagsteadError, TooLarge
from ragstead.ports.model_relay import ModelRelay
from ragstead.wire import ChatBody
from ragstead_gateway.relaying import PassedOn, RelayCounter, refuse_unable_model
from ragstead_serving.errors import error_response

PATH = "/v1/chat/completions"


@dataclass(frozen=True, slots=True)
class _Route:
    """What metrics want to know of a route."""

    path: str


class BareModels:
    """Passes on what names a bare model and is as it should be; everything else goes the usual way, errors among it.

    Args:
        app: The usual way.
        relays: The models, by name.
        counter: Books what is passed on.
    """

    def __init__(self, app: ASGIApp, relays: Mapping[str, ModelRelay], counter: RelayCounter) -> None:
        self._app = app
        self._relays = relays
        self._counter = counter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or leave it to the app."""
        if not self._relays or scope["type"] != "http" or scope["path"] != PATH or not _is_json_post(scope):
            await self._app(scope, receive, send)
            return
        try:
            body, ended = await _read(receive)
        except HTTPException as error:
            await error_response(TooLarge(error.detail))(scope, receive, send)
            return
        passed = None if ended is not None else self._passed(body)
        if passed is None:
            await self._app(scope, _Again(body, ended, receive), send)
            return
        scope["route"] = _Route(PATH)
        try:
            await passed(scope, receive, send)
        except RagsteadError as error:  # before anything was sent
            await error_response(error)(scope, receive, send)

    def _passed(self, body: bytes) -> Response | None:
        with suppress(orjson.JSONDecodeError, ValidationError):
            sent = orjson.loads(body)
            relay = self._relays.get(sent["model"]) if isinstance(sent, dict) and _is_name(sent.get("model")) else None
            if relay is not None:
                asked = ChatBody.model_validate(sent)
                try:
                    refuse_unable_model(asked, relay.capabilities)
                except RagsteadError as error:
                    return error_response(error)
                return PassedOn(relay, sent, self._counter)
        return None


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


def _is_json_post(scope: Scope) -> bool:
    return scope["method"] == "POST" and Headers(scope=scope).get("content-type", "").startswith("application/json")


def _is_name(value: object) -> bool:
    return isinstance(value, str)
