"""The release that answers now, and those before it that still finish what they began."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from ragstead.errors import NotFound
from ragstead.model import Answer
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.bare_guard import DoorGuard
from ragstead.pipelines.retrieve import SearchRequest, SearchResult


class Retriever(Protocol):
    """Finds chunks."""

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the best hits."""
        ...


async def _nothing() -> None:
    return


@dataclass(slots=True)
class Composition:
    """A release's pipelines.

    Attributes:
        release_id: Stamped on every answer of theirs.
        retriever: Finds.
        answerer: Answers.
        close: Lets go of what they hold.
        running: Requests that are being worked on.
        door: Guards what does not lead through them; None where nothing does.
    """

    release_id: str
    retriever: Retriever
    answerer: Answerer
    close: Callable[[], Awaitable[None]] = _nothing
    running: int = 0
    door: DoorGuard | None = None


NAMED_AT_ONCE = 2
"""Compositions of releases that requests name which are kept for the next request."""


class LiveRelease(Answerer):
    """Passes requests to the release that is live when they come, which they end on whatever becomes live meanwhile.

    A request may name another release; the last few of those stay composed. Belongs to one event loop, where an
    exchange is one assignment: no request sees two releases.

    Args:
        first: Live until another is.
        named: Composes a release by its id, for requests that name it; None: they may not.
    """

    def __init__(self, first: Composition, named: Callable[[str], Awaitable[Composition]] | None = None) -> None:
        self._live = first
        self._compose_named = named
        self._named: dict[str, Composition] = {}
        self._leaving: list[Composition] = []

    @property
    def release_id(self) -> str:
        """The release that is live."""
        return self._live.release_id

    def door(self) -> DoorGuard | None:
        """Return what the live release guards the doors with that do not lead through its pipelines."""
        return self._live.door

    async def exchange(self, composition: Composition) -> None:
        """Make another release live; the one before is closed once its last request has ended."""
        before, self._live = self._live, composition
        self._leaving.append(before)
        await self.sweep()

    async def sweep(self) -> None:
        """Close those that are done."""
        done = [one for one in self._leaving if not one.running]
        self._leaving = [one for one in self._leaving if one.running]
        for one in done:
            await one.close()

    async def close(self) -> None:
        """Close all, done or not: nobody asks any more."""
        for one in (*self._leaving, *self._named.values(), self._live):
            await one.close()
        self._leaving, self._named = [], {}

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the best hits.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        with _lease(self._live) as composition:
            return await composition.retriever.search(request)

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        with _lease(await self._wanted(request.release)) as composition:
            async with aclosing(composition.answerer.stream(replace(request, release=None))) as pieces:
                async for piece in pieces:
                    yield piece

    async def _wanted(self, release_id: str | None) -> Composition:
        """Return the composition of a release; whoever leases it does so before anything else happens."""
        if release_id in (None, self._live.release_id):
            return self._live
        while release_id not in self._named:  # others may push it out again while it is opened
            await self._open_named(release_id)
        self._named[release_id] = composition = self._named.pop(release_id)  # the one used last, last
        return composition

    async def _open_named(self, release_id: str) -> None:
        if self._compose_named is None:
            raise NotFound(
                "release", release_id, f"this platform knows of none but {self.release_id}, as no MLflow runs"
            )
        composed = await self._compose_named(release_id)
        if release_id in self._named:  # another request was faster
            self._leaving.append(composed)
        else:
            self._named[release_id] = composed
        while len(self._named) > NAMED_AT_ONCE:
            self._leaving.append(self._named.pop(next(iter(self._named))))
        await self.sweep()


@contextmanager
def _lease(composition: Composition) -> Iterator[Composition]:
    composition.running += 1
    try:
        yield composition
    finally:
        composition.running -= 1
