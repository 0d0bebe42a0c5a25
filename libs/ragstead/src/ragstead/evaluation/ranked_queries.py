"""Queries with judged documents: what a ranking is measured on, and how one query's ranking is scored."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ragstead.errors import InvalidRequest
from ragstead.evaluation.measures import Score
from ragstead.evaluation.ranking import is_judged, query_measures
from ragstead.evaluation.scoring import Scored
from ragstead.ports.evaluated import SourceDocument

DEPTH = 100
"""Documents that rankings are judged by."""
_DIGITS = 6
"""Of a score, as many as files of kept results hold."""


@dataclass(frozen=True, slots=True)
class JudgedQuery:
    """A query, and which documents are relevant to it.

    Attributes:
        query_id: Unique among the queries.
        text: In words.
        relevant: Gain by document id; 0 and less: not relevant.
    """

    query_id: str
    text: str
    relevant: Mapping[str, int]

    @property
    def fingerprint(self) -> str:
        """Eight hexadecimal digits that change with the query's words and its judgements."""
        said = json.dumps([self.text, sorted(self.relevant.items())])
        return hashlib.sha256(said.encode()).hexdigest()[:8]


@dataclass(frozen=True, slots=True)
class RankedSet:
    """Queries over documents of their own, such as a BEIR folder.

    Attributes:
        name: What runs of it are called.
        queries: Those that have a relevant document.
        documents: Yields the documents, anew each time.
    """

    name: str
    queries: tuple[JudgedQuery, ...]
    documents: Callable[[], Iterator[SourceDocument]]

    def __post_init__(self) -> None:
        if not any(is_judged(one.relevant) for one in self.queries):
            raise InvalidRequest(f"{self.name!r} has no query with a relevant document")

    def sampled(self, n: int | None) -> RankedSet:
        """Return the set with `n` of its queries, the same ones every time, in their order; with all where None."""
        if n is None or n >= len(self.queries):
            return self
        drawn = set(random.Random(0).sample(range(len(self.queries)), n))  # noqa: S311 - a sample, no secret
        return replace(self, queries=tuple(one for at, one in enumerate(self.queries) if at in drawn))


@dataclass(frozen=True, slots=True)
class RankedQuery:
    """What a query found.

    Attributes:
        query: That was searched.
        documents: Ids with the score of the best passage of each, best first; None where it was not accepted.
        latency_ms: As the asker waited.
    """

    query: JudgedQuery
    documents: Sequence[tuple[str, float]] | None
    latency_ms: float

    @property
    def ids(self) -> list[str]:
        """The documents, best first; none where the query was not accepted."""
        return [document_id for document_id, _ in self.documents or ()]

    @property
    def scored(self) -> Scored:
        """What it is worth; a query that was not accepted found nothing, and was not timed."""
        query = self.query
        measures = query_measures(self.ids, query.relevant) if is_judged(query.relevant) else {}
        scores = {name: Score(round(value, _DIGITS)) for name, value in measures.items()}
        timed = None if self.documents is None else self.latency_ms
        return Scored(query.query_id, query.fingerprint, (), scores, 0.0, False, False, latency_ms=timed)
