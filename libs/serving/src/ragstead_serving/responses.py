"""JSON responses by orjson, and JSON requests that are read as strictly as they are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel


class JsonResponse(Response):
    """Is `content`, made of JSON values and pydantic models, as JSON."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return the JSON text; what has no JSON form is a `TypeError`."""
        return to_json(content)


def to_json(content: object) -> bytes:
    """Return the JSON text of JSON values and pydantic models, in UTF-8."""
    return orjson.dumps(content, default=_dump)


def _dump(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump()
    raise TypeError(f"{type(value).__name__} has no JSON form")


class _StrictRequest(Request):
    """Refuses NaN, lone surrogates and bottomless nesting, which the standard library's parser lets through."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError as exc:
            raise json.JSONDecodeError(exc.msg, body.decode("utf-8", errors="replace"), exc.pos) from exc


class ServiceRoute(APIRoute):
    """Reads JSON bodies by orjson; the route class of every router here."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, given requests of ours."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly
