"""The HTTP API as retriever and chat model see it, from plain code and from a loop; failures are house errors."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from functools import cache
from typing import Any

import httpx

from ragstead.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    NotFound,
    Overloaded,
    RagsteadError,
    TooLarge,
    Unauthenticated,
    Unavailable,
)

Json = dict[str, Any]

_ERRORS: Mapping[int, type[RagsteadError]] = {401: Unauthenticated, 403: Forbidden, 409: Conflict, 413: TooLarge}
_DONE = b"[DONE]"


class NotThere(NotFound):
    """Raised where the platform says that a collection or model does not exist; the message is the platform's."""

    def __init__(self, message: str) -> None:
        RagsteadError.__init__(self, message)
        self.kind, self.name = "collection or model", ""


class RagsteadApi:
    """Speaks to one platform; a connection lasts for one call, so that it serves any thread and any loop.

    Args:
        base_url: Up to the version, as OpenAI's clients take it.
        api_key: None where the platform asks for none.
        timeout_s: Patience with the connection and with each silence.
    """

    def __init__(self, base_url: str, api_key: str | None, timeout_s: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout_s = timeout_s

    def post(self, path: str, body: Json) -> Json:
        """Return the answer to a JSON body.

        Raises:
            InvalidRequest, NotFound, Conflict, TooLarge, Unauthenticated, Forbidden: As the platform answers.
            Overloaded: If it has no room.
            Unavailable: If it, or a part of it, can't be reached, or fails.
        """
        try:
            with httpx.Client(**self._options()) as client:
                return _document(client.post(path, json=body))
        except httpx.HTTPError as exc:
            raise self._silent(exc) from exc

    async def apost(self, path: str, body: Json) -> Json:
        """Return what `post` returns, and raise what it raises."""
        try:
            async with httpx.AsyncClient(**self._options()) as client:
                return _document(await client.post(path, json=body))
        except httpx.HTTPError as exc:
            raise self._silent(exc) from exc

    def stream(self, path: str, body: Json) -> Generator[Json, None, None]:
        """Yield the events of a streamed answer; closed, it hangs up.

        Raises:
            RagsteadError: As `post` does; while iterated too, where the stream ends with an error or before its end.
        """
        try:
            with httpx.Client(**self._options()) as client, client.stream("POST", path, json=body) as answer:
                if not answer.is_success:
                    answer.read()
                    _document(answer)
                reader = _EventReader()
                for received in answer.iter_bytes():
                    yield from reader.feed(received)
                reader.close()
        except httpx.HTTPError as exc:
            raise self._silent(exc) from exc

    async def astream(self, path: str, body: Json) -> AsyncGenerator[Json, None]:
        """Yield what `stream` yields, and raise what it raises."""
        try:
            async with (
                httpx.AsyncClient(**self._options()) as client,
                client.stream("POST", path, json=body) as answer,
            ):
                if not answer.is_success:
                    await answer.aread()
                    _document(answer)
                reader = _EventReader()
                async for received in answer.aiter_bytes():
                    for event in reader.feed(received):
                        yield event
                reader.close()
        except httpx.HTTPError as exc:
            raise self._silent(exc) from exc

    def _options(self) -> Json:
        return {
            "base_url": self._base_url,
            "headers": self._headers,
            "timeout": self._timeout_s,
            "verify": _certificates(),
        }

    def _silent(self, exc: httpx.HTTPError) -> Unavailable:
        why = str(exc) or type(exc).__name__
        return Unavailable("platform", f"{self._base_url} does not answer: {why}; start the platform, or mend base_url")


class _EventReader:
    """Cuts received bytes into server-sent events."""

    def __init__(self) -> None:
        self._waiting = b""
        self._done = False

    def feed(self, received: bytes) -> Iterator[Json]:
        """Yield the events that are whole by now.

        Raises:
            Unavailable: If one of them is an error, or no JSON.
        """
        *whole, self._waiting = (self._waiting + received).split(b"\n\n")
        for event in whole:
            data = b"".join(line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
            if data == _DONE:
                self._done = True
            elif data:
                yield _checked(data)

    def close(self) -> None:
        """Raise `Unavailable` where the end did not come."""
        if not self._done:
            raise Unavailable("platform", "the platform broke off in the middle of its answer; ask again")


def _checked(data: bytes) -> Json:
    try:
        event = json.loads(data)
    except ValueError as exc:
        raise Unavailable("platform", "the platform sent an event that is no JSON; is base_url right?") from exc
    if not isinstance(event, dict) or "error" in event:
        raise Unavailable("platform", _message(event) or "the platform broke off without a reason")
    return event


def _document(answer: httpx.Response) -> Json:
    try:
        document = answer.json()
    except ValueError:
        document = None
    if answer.is_success and isinstance(document, dict):
        return document
    message = _message(document) or f"the platform answered {answer.status_code} without a reason"
    raise _error(answer, message, document["error"] if isinstance(document, dict) and "error" in document else {})


def _message(document: object) -> str:
    error = document.get("error") if isinstance(document, dict) else None
    return str(error["message"]) if isinstance(error, dict) and "message" in error else ""


def _error(answer: httpx.Response, message: str, detail: object) -> RagsteadError:
    status = answer.status_code
    if status in (400, 415, 422):
        named = detail if isinstance(detail, dict) else {}
        return InvalidRequest(message, param=named.get("param"), code=named.get("code"))
    if status == 404:
        return NotThere(message)
    if status == 429:
        return Overloaded(message, retry_after_s=_retry_after_s(answer))
    if status in _ERRORS:
        return _ERRORS[status](message)
    return Unavailable("platform", message, retry_after_s=_retry_after_s(answer))


def _retry_after_s(answer: httpx.Response) -> float:
    try:
        return float(answer.headers.get("retry-after", "1"))
    except ValueError:
        return 1.0


@cache
def _certificates() -> ssl.SSLContext:
    """Made once: it takes longer than a search."""
    return httpx.create_ssl_context()
