"""The HTTP API as the verbs see it: paths in, JSON out, failures as errors of the house."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from ragstead.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    Overloaded,
    RagsteadError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from ragstead_cli.errors import Broken, Missing

if TYPE_CHECKING:
    from collections.abc import Mapping

_ATTEMPTS = 8
_LONGEST_PAUSE_S = 5.0

Json = dict[str, Any]


_ERRORS: Mapping[int, type[RagsteadError]] = {
    400: InvalidRequest,
    401: Unauthenticated,
    403: Forbidden,
    409: Conflict,
    413: TooLarge,
    415: InvalidRequest,
    422: InvalidRequest,
}


class Api:
    """Speaks to one platform.

    Args:
        client: Knows the platform's address, over TCP or in this process.
        platform: What to call it in messages.
    """

    def __init__(self, client: httpx.AsyncClient, platform: str) -> None:
        self._client = client
        self._platform = platform

    async def get(self, path: str, **params: str | int) -> Json:
        """Return what stands at `path`; raises as `send` does."""
        return await self.send("GET", path, params=params)

    async def probe(self, path: str) -> Json:
        """Return what stands at `path` whatever its status, as health tells its trouble in the body."""
        answer = await self._once("GET", path, None, None, {})
        return _document(answer, f"GET {path}") if answer.status_code not in {200, 503} else dict(answer.json())

    async def post(self, path: str, body: Mapping[str, Any]) -> Json:
        """Return the answer to a JSON body; raises as `send` does."""
        return await self.send("POST", path, body=body)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        content: bytes | None = None,
    ) -> Json:
        """Send one request; one that the platform has no room for is sent again after the time it asks for.

        Raises:
            InvalidRequest, Missing, Conflict, TooLarge, Unauthenticated, Forbidden: As the platform answers.
            Overloaded: If the platform still has no room after some seconds.
            Unavailable: If it, or a part of it, can't be reached.
            Broken: If it fails.
        """
        kind = "application/json" if body is not None else "application/octet-stream"
        sent = json.dumps(body).encode() if body is not None else content
        headers = {"content-type": kind} if sent is not None else {}
        for attempt in range(_ATTEMPTS):
            answer = await self._once(method, path, params, sent, headers)
            if answer.status_code != 429 or attempt + 1 == _ATTEMPTS:
                break
            await asyncio.sleep(min(_LONGEST_PAUSE_S, retry_after_s(answer)))
        return _document(answer, f"{method} {path}")

    async def _once(
        self,
        method: str,
        path: str,
        params: Mapping[str, str | int] | None,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        try:
            return await self._client.request(method, path, params=params, content=content, headers=headers)
        except httpx.HTTPError as exc:
            why = str(exc) or type(exc).__name__
            raise Unavailable(
                "platform", f"{self._platform} does not answer: {why}; start it again, or stop it and retry"
            ) from exc


def retry_after_s(answer: httpx.Response) -> float:
    """Seconds that the response asks to wait, 1 where it does not say."""
    try:
        return max(0.05, float(answer.headers["retry-after"]))
    except (KeyError, ValueError):
        return 1.0


def store_path(collection: str, *rest: str) -> str:
    """Path of a collection, or of something in it; every part may hold any character."""
    return "/".join(("/v1/vector_stores", _part(collection), *map(_part, rest)))


def _part(name: str) -> str:
    # A client takes `.` and `..` out of a path unless they are escaped.
    return quote(name, safe="") if name.strip(".") else name.replace(".", "%2E")


def _document(answer: httpx.Response, request: str) -> Json:
    try:
        document = answer.json() if answer.content else {}
    except ValueError:
        document = {}
    if answer.is_success and isinstance(document, dict):
        return document
    detail = document.get("error") if isinstance(document, dict) else None
    message = str(detail["message"]) if isinstance(detail, dict) and "message" in detail else ""
    message = message or f"{request} was answered {answer.status_code} without a reason"
    raise _error(answer, message, str(detail.get("code", "")) if isinstance(detail, dict) else "")


def _error(answer: httpx.Response, message: str, code: str) -> RagsteadError:
    if answer.status_code == 429:
        return Overloaded(message, retry_after_s=retry_after_s(answer))
    if answer.status_code == 503:
        return Unavailable("platform", message, retry_after_s=retry_after_s(answer))
    if answer.status_code == 404:
        return Missing(message, code)
    return _ERRORS.get(answer.status_code, Broken)(message)
