"""The release that answers now, and those before it that still finish what they began."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Protocol

from ragstead.model import Answer
from ragstead.pipelines.asking import Answerer, AskRequest, answer_of
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
    """

    release_id: str
    retriever: Retriever
    answerer: Answerer
    close: Callable[[], Awaitable[None]] = _nothing
    running: int = 0


class LiveRelease:
    """Passes requests to the release that is live when they come, which they end on whatever becomes live meanwhile.

    Belongs to one event loop, where an exchange is one assignment: no request sees two releases.

    Args:
        first: Live until another is.
    """

    def __init__(self, first: Composition) -> None:
        self._live = first
        self._leaving: list[Composition] = []

    @property
    def release_id(self) -> str:
        """The release that is live."""
        return self._live.release_id

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
        for one in (*self._leaving, self._live):
            await one.close()
        self._leaving = []

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the best hits.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        with self._lease() as composition:
            return await composition.retriever.search(request)

    async def answer(self, request: AskRequest) -> Answer:
        """Return the answer, or the refusal, to a question.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        return await answer_of(self.stream(request))

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        with self._lease() as composition:
            async with aclosing(composition.answerer.stream(request)) as pieces:
                async for piece in pieces:
                    yield piece

    @contextmanager
    def _lease(self) -> Iterator[Composition]:
        composition = self._live
        composition.running += 1
        try:
            yield composition
        finally:
            composition.running -= 1
