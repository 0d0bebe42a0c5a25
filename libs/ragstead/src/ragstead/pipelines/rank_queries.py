"""Searches the queries of a set of one system, or of several in turn."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ragstead.evaluation.ranked_queries import DEPTH, JudgedQuery, RankedQuery
from ragstead.pipelines.in_turn import Progress, at_once, in_turn
from ragstead.ports.evaluated import EvaluatedSystem

_MOST_PASSAGES = 1000
"""What one search may return."""


class RankingEvaluation:
    """Searches judged queries.

    Args:
        collection: Where.
        depth: Documents wanted for each query.
    """

    def __init__(self, collection: str, depth: int = DEPTH) -> None:
        self._collection = collection
        self._depth = depth

    async def measure(
        self, system: EvaluatedSystem, queries: Sequence[JudgedQuery], done: Progress, *, limit: int
    ) -> list[RankedQuery]:
        """Search one system, several queries at once, and return what they found in their order.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If the system is down.
        """
        return await at_once(queries, lambda query: self.rank(system, query), done, limit=limit)

    async def measure_in_turn(
        self, systems: Sequence[EvaluatedSystem], queries: Sequence[JudgedQuery], done: Progress
    ) -> list[list[RankedQuery]]:
        """Search every query in each system in turn, one at a time, and return what each system found.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a system is down.
        """
        return await in_turn(systems, queries, self.rank, done)

    async def rank(self, system: EvaluatedSystem, query: JudgedQuery) -> RankedQuery:
        """Search one query.

        Asks for as many passages as documents, and for more as long as they stand for fewer and there may be more.
        """
        began = time.perf_counter()
        wanted = self._depth
        while True:
            found = await system.find(query.text, self._collection, wanted)
            best: dict[str, float] = {}
            for one in found or ():
                best.setdefault(one.document_id, one.score)
            if found is None or len(best) >= self._depth or len(found) < wanted or wanted == _MOST_PASSAGES:
                break
            wanted = min(_MOST_PASSAGES, 2 * wanted)
        latency_ms = 1000 * (time.perf_counter() - began)
        return RankedQuery(query, None if found is None else list(best.items())[: self._depth], latency_ms)
