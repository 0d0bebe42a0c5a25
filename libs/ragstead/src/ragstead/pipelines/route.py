"""Which model writes an answer: the first that may, can and does."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ragstead.errors import Overloaded, Unavailable
from ragstead.pipelines.shadow import Copy, Shadow
from ragstead.ports.generator import GenerationRequest, Generator, Piece
from ragstead.ports.shadow_log import Written
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
        quotes: Whether it quotes, and so knows no templates.
    """

    generator: Generator
    breaker: CircuitBreaker
    leaves: bool = False
    quotes: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """Who is asked, in this order.

    Attributes:
        names: Of generators, the first choice first.
        why: Why it is the first choice, as receipts show it.
        rule: The routing rule that held; empty where there are none.
        shadow: Who gets a copy; None for nobody.
    """

    names: Sequence[str]
    why: str = "configured"
    rule: str = ""
    shadow: str | None = None


RoutePlan = Callable[[GenerationRequest, Mapping[str, int]], Candidates]
"""From a request, and the answers being written now by each generator, to who is asked."""


class RoutedGenerator:
    """Is a `Generator` over several: asks them in their order, and the next where one is down, busy or not allowed.

    A generator that fails after its first words is not replaced: half an answer of one is no answer of another's.

    Args:
        routes: The generators there are, in the order in which they are asked where there is no plan; the last one had
            better need nobody else.
        plan: Says for each request who is asked in which order; None for all of them in their order.
        shadow: Sends the copies that the plan asks for; None where it asks for none.
    """

    def __init__(self, routes: Sequence[Route], plan: RoutePlan | None = None, shadow: Shadow | None = None) -> None:
        self._routes = {route.generator.name: route for route in routes}
        self._plan = plan or (lambda _request, _running: Candidates(tuple(self._routes)))
        self._shadow = shadow
        self._running: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """The name of the first one."""
        return next(iter(self._routes))

    def first_choice(self, request: GenerationRequest) -> str:
        """Return who would be asked first now."""
        return self._plan(request, self._running).names[0]

    async def generate(self, request: GenerationRequest) -> AsyncIterator[Piece]:
        """Yield the answer of the first that gives one; its last piece says which, and why not those before.

        Raises:
            Unavailable: While iterated, if none does, or one breaks off in the middle.
        """
        candidates = self._plan(request, self._running)
        passed: list[str] = []
        for name in candidates.names:
            route = self._routes[name]
            reason = _refusal(route, request)
            if reason is not None:
                passed.append(f"{name} {reason}")
                continue
            words: list[str] = []
            began = time.perf_counter()
            try:
                async with aclosing(self._pieces(route, request)) as pieces:
                    async for piece in pieces:
                        words.append(piece.text)
                        if piece.finish_reason:
                            self._copy(candidates, request, _written(name, words, began, piece))
                            yield replace(piece, model=name, route=_why(candidates.why, passed))
                        else:
                            yield piece
            except (Unavailable, Overloaded) as error:
                if isinstance(error, Unavailable):
                    route.breaker.failed()
                if any(words):
                    raise
                passed.append(f"{name} {'is busy' if isinstance(error, Overloaded) else 'is down'}")
            else:
                route.breaker.succeeded()
                return
        raise Unavailable("generation", f"nothing can answer: {'; '.join(passed)}")

    async def _pieces(self, route: Route, request: GenerationRequest) -> AsyncGenerator[Piece]:
        self._running[route.generator.name] += 1
        try:
            async with aclosing(closing(route.generator.generate(request))) as pieces:
                async for piece in pieces:
                    yield piece
        finally:
            self._running[route.generator.name] -= 1

    def _copy(self, candidates: Candidates, request: GenerationRequest, answer: Written) -> None:
        """Send the copy that is asked for, unless it may not leave or be kept, its model is down, or it wrote this."""
        if self._shadow is None or request.private or candidates.shadow in (None, answer.model):
            return
        route = self._routes[candidates.shadow]
        if (request.may_leave or not route.leaves) and not route.breaker.is_open:
            self._shadow.send(route.generator, Copy(candidates.rule, request, answer))


def _written(name: str, words: Sequence[str], began: float, last: Piece) -> Written:
    seconds = round(time.perf_counter() - began, 3)
    return Written(name, "".join(words), seconds, last.prompt_tokens, last.completion_tokens)


def _refusal(route: Route, request: GenerationRequest) -> str | None:
    if route.leaves and not request.may_leave:
        return "is hosted, and the collection does not say egress: allow"
    if route.quotes and request.template is not None:
        return f"only quotes, and template {request.template!r} needs a model"
    return None if route.breaker.admits() else "was down a moment ago"


def _why(first: str, passed: Sequence[str]) -> str:
    if not passed:
        return first
    fallback = f"{_FALLBACK}{'; '.join(passed)}"
    return fallback if first == "configured" else f"{first}; {fallback}"


def is_fallback(route: str) -> bool:
    """Return whether the route of a receipt says that another model than the chosen one answered."""
    return _FALLBACK in route


_FALLBACK = "fallback: "
