"""Bearer authentication by configured API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Set

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ragstead.errors import Unauthenticated
from ragstead.ports.conversations import ANONYMOUS
from ragstead_serving.errors import error_response

_CALLER = "ragstead.caller"
"""Where a request's scope says who sends it."""


class BearerAuth:
    """Lets a request through whose `Authorization: Bearer …` is one of the keys; without keys, every request.

    Every key is compared, in constant time, whichever fits: the time says nothing about any of them.

    Args:
        app: What the request is passed on to.
        keys: The keys; none where the service is open.
        open_paths: Paths that need no key.
    """

    def __init__(self, app: ASGIApp, keys: Iterable[str], open_paths: Set[str]) -> None:
        self._app = app
        given = list(keys)
        self._digests = [_digest(key) for key in given]
        self._callers = [caller_id(key) for key in given]
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, its caller known, or answer 401."""
        if scope["type"] == "http" and self._digests and scope["path"] not in self._open_paths:
            found = self._caller(Headers(scope=scope).get("authorization", ""))
            if isinstance(found, Unauthenticated):
                await error_response(found)(scope, receive, send)
                return
            scope[_CALLER] = found
        await self._app(scope, receive, send)

    def _caller(self, authorization: str) -> str | Unauthenticated:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return Unauthenticated("this server asks for an API key: send the header `Authorization: Bearer <key>`")
        given = _digest(key.strip())
        fits = [hmac.compare_digest(given, digest) for digest in self._digests]
        if not any(fits):
            return Unauthenticated("the API key is not one of this server's")
        return self._callers[fits.index(True)]


def caller_of(request: Request) -> str:
    """Return who sends a request: an id of its API key; without keys everybody is one anonymous caller."""
    return str(request.scope.get(_CALLER, ANONYMOUS))


def caller_id(key: str) -> str:
    """Return an id of an API key that says nothing about it, the same on every start.

    It is no digest that anything is authenticated with, so who reads the database learns no more than which rows
    belong together; of a key that can be guessed they can test a guess.
    """
    text = key.encode("utf-8", errors="surrogateescape")
    return f"key-{hmac.digest(text, b'ragstead caller', 'sha256').hex()[:32]}"


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).digest()
