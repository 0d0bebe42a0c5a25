"""Bearer authentication by configured API keys."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Set

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ragstead.errors import Unauthenticated
from ragstead_serving.errors import error_response


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
        self._digests = [_digest(key) for key in keys]
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 401."""
        if scope["type"] == "http" and self._digests and scope["path"] not in self._open_paths:
            refusal = self._refusal(Headers(scope=scope).get("authorization", ""))
            if refusal is not None:
                await error_response(refusal)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, authorization: str) -> Unauthenticated | None:
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            return Unauthenticated("this server asks for an API key: send the header `Authorization: Bearer <key>`")
        given = _digest(key.strip())
        fits = [hmac.compare_digest(given, digest) for digest in self._digests]
        return None if any(fits) else Unauthenticated("the API key is not one of this server's")


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", errors="surrogateescape")).digest()
