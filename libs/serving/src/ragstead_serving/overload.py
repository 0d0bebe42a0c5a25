"""An upper bound on the requests that are worked on at once."""

from __future__ import annotations

from collections.abc import Set

from starlette.types import ASGIApp, Receive, Scope, Send

from ragstead.errors import Overloaded
from ragstead_serving.errors import error_response


class InFlightBound:
    """Answers 429 with `Retry-After` to a request beyond `limit`; the paths in `exempt` are never refused or counted.

    Args:
        app: What the request is passed on to.
        limit: Requests that may be worked on at once, streams included until they end.
        exempt: Paths that must answer when everything else is busy.
    """

    def __init__(self, app: ASGIApp, limit: int, exempt: Set[str]) -> None:
        self._app = app
        self._limit = limit
        self._exempt = exempt
        self._busy = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        if self._busy >= self._limit:
            refusal = Overloaded(f"{self._limit} requests are being worked on already; try again in a moment")
            await error_response(refusal)(scope, receive, send)
            return
        self._busy += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._busy -= 1
