"""The guard's places in a search that somebody makes for its hits, and that is no part of an answer."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

import numpy as np

from ragstead.model import Collection, Hit
from ragstead.pipelines.live_release import Retriever
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.ports.guard import Guard
from ragstead.relevance import TermWeights


class GuardedDoorSearches:
    """Is a `Retriever`: the query is judged before anything is searched, and what it finds before it is shown.

    Scores of hits that are demoted are made no higher than those before them.

    Args:
        retriever: Finds.
        guard: Judges.
        collection: Finds a collection by name or id, without its counts.
        moves: Whether passages with an injection are to be demoted or dropped; else they are shown where they stand,
            whole and with their marks: who reads the hits sees what is there.
    """

    def __init__(
        self,
        retriever: Retriever,
        guard: Guard,
        collection: Callable[[str], Awaitable[Collection]],
        *,
        moves: bool,
    ) -> None:
        self._retriever = retriever
        self._guard = guard
        self._collection = collection
        self._moves = moves

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the hits; none for a query that is refused. Raises what the search raises."""
        began = time.perf_counter()
        verdict = await self._guard.question(request.query)
        spent_ms = (time.perf_counter() - began) * 1000
        if verdict.refused:
            collection = await self._collection(request.collection)
            vector = np.zeros(0, dtype=np.float32)
            return SearchResult((), {"guard": spent_ms}, collection, TermWeights(), vector, refused=verdict.findings)
        found = await self._retriever.search(replace(request, query=verdict.text))
        if self._moves:
            began = time.perf_counter()
            judged = await self._guard.passages(found.hits)
            spent_ms += (time.perf_counter() - began) * 1000
            found = replace(found, hits=_never_rising(judged.hits), withheld=judged.withheld)
        return replace(found, timings_ms={**found.timings_ms, "guard": spent_ms})


def _never_rising(hits: tuple[Hit, ...]) -> tuple[Hit, ...]:
    out: list[Hit] = []
    for hit in hits:
        out.append(replace(hit, score=out[-1].score) if out and hit.score > out[-1].score else hit)
    return tuple(out)
