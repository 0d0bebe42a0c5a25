"""Which model writes an answer: the first that may, can and does."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ragstead.errors import Overloaded, Unavailable
from ragstead.ports.generator import GenerationRequest, Generator, Piece
from ragstead.streams import closing


class CircuitBreaker:
    """Keeps requests from what has failed several times in a row; after a rest one at a time may try it.

    Args:
        failures: How many in a row open it.
        open_s: Seconds of rest.
        clock: Seconds that only go forward.
    """

    def __init__(self, failures: int, open_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = failures
        self._open_s = open_s
        self._clock = clock
        self._failures = 0
        self._opened_at = 0.0
        self._tried_at: float | None = None

    @property
    def is_open(self) -> bool:
        """Whether requests are kept away now."""
        return self._failures >= self._most and self._clock() - self._opened_at < self._open_s

    def admits(self) -> bool:
        """Return whether a request may go; once the rest is over one may, and the others when it has come back."""
        if self._failures < self._most:
            return True
        now = self._clock()
        if now - self._opened_at < self._open_s:
            return False
        if self._tried_at is not None and now - self._tried_at < self._open_s:
            return False
        self._tried_at = now
        return True

    def succeeded(self) -> None:
        """Close it."""
        self._failures = 0
        self._tried_at = None

    def failed(self) -> None:
        """Book a failure; enough of them in a row open it, and so does a trial that fails."""
        self._failures += 1
        self._tried_at = None
        if self._failures >= self._most:
            self._opened_at = self._clock()


@dataclass(frozen=True, slots=True)
class Route:
    """A generator that may be asked.

    Attributes:
        generator: What writes.
        breaker: Rests it when it fails.
        leaves: Whether evidence leaves this house for it.
    """

    generator: Generator
    breaker: CircuitBreaker
    leaves: bool = False


class RoutedGenerator:
    """Is a `Generator` over several: asks them in their order, and the next where one is down, busy or not allowed.

    A generator that fails after its first words is not replaced: half an answer of one is no answer of another's.

    Args:
        routes: In the order in which they are asked; the last one had better need nobody else.
    """

    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    @property
    def name(self) -> str:
        """The name of the first one."""
        return self._routes[0].generator.name

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """Yield the answer of the first that gives one; its last piece says which, and why not those before.

        Raises:
            Unavailable: While iterated, if none does, or one breaks off in the middle.
        """
        passed: list[str] = []
        for route in self._routes:
            name = route.generator.name
            reason = _refusal(route, request)
            if reason is not None:
                passed.append(f"{name} {reason}")
                continue
            begun = False
            try:
                async with aclosing(closing(route.generator.generate(request))) as pieces:
                    async for piece in pieces:
                        begun = begun or bool(piece.text)
                        yield replace(piece, model=name, route=_why(passed)) if piece.finish_reason else piece
            except (Unavailable, Overloaded) as error:
                if isinstance(error, Unavailable):
                    route.breaker.failed()
                if begun:
                    raise
                passed.append(f"{name} {'is busy' if isinstance(error, Overloaded) else 'is down'}")
            else:
                route.breaker.succeeded()
                return
        raise Unavailable("generation", f"nothing can answer: {'; '.join(passed)}")


def _refusal(route: Route, request: GenerationRequest) -> str | None:
    if route.leaves and not request.may_leave:
        return "is hosted, and the collection does not say egress: allow"
    return None if route.breaker.admits() else "was down a moment ago"


def _why(passed: Sequence[str]) -> str:
    return f"fallback: {'; '.join(passed)}" if passed else "configured"
