"""A query's way to its hits: BM25 and vectors, fused, calibrated, and only what is live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import IndexMismatch, InvalidRequest
from ragstead.filters import Filter
from ragstead.fusion import Candidates, FusionPlan, fuse
from ragstead.model import Collection, Hit, Scope, StoredChunk, Strategy, indexed_text
from ragstead.ports.embedder import Embedder
from ragstead.ports.indexes import Index, Indexes
from ragstead.ports.live_chunks import LiveChunks
from ragstead.ports.reranker import Reranker
from ragstead.ports.vector_index import Scores
from ragstead.relevance import Relevance, TermWeights, falling, term_weights

_SPARE = 8
"""Keys looked up beside those wanted, as some may not be live any more."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query and where to look.

    Attributes:
        query: What is looked for, in words; no query language.
        collection: Name or id.
        k: Hits wanted, 1 to 1000.
        strategy: None for the configured one.
        filter: Which documents may be returned; None for all.
    """

    query: str
    collection: str = "default"
    k: int = 10
    strategy: Strategy | None = None
    filter: Filter | None = None

    def __post_init__(self) -> None:
        if not self.query.strip():
            raise InvalidRequest("the query is empty; say what is looked for", param="query")
        if not 1 <= self.k <= 1000:
            raise InvalidRequest(f"k is {self.k} and must be 1 to 1000", param="k")


@dataclass(frozen=True, slots=True)
class SearchResult:
    """What was found.

    Attributes:
        hits: Best first.
        timings_ms: Milliseconds by stage: `embed`, `bm25`, `dense`, `fuse`, `fetch`, and `rerank` where it is on.
        collection: The collection as it was when the search began.
        weights: How much each term of the query weighs in this collection.
        vector: The query's, of shape `[dim]`.
    """

    hits: tuple[Hit, ...]
    timings_ms: Mapping[str, float]
    collection: Collection
    weights: TermWeights
    vector: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RetrievalPlan:
    """What of retrieval an answer depends on; hashed into the release.

    Attributes:
        strategy: The default one.
        fusion: How the two sides become one list.
        candidates: How many chunks each side proposes, at least.
        prefilter: How many chunks BM25 passes on under `prefilter`.
        rerank: How many of the best the reranker reads, where there is one.
    """

    strategy: Strategy = Strategy.HYBRID
    fusion: FusionPlan = field(default_factory=FusionPlan)
    candidates: int = 100
    prefilter: int = 200
    rerank: int = 20


@dataclass(frozen=True, slots=True)
class RetrieveParts:
    """What retrieval is composed of.

    Attributes:
        live: The chunks that may be shown.
        indexes: The physical indexes.
        embedder: Turns the query into a vector.
        analyser: Turns the query into terms.
        relevance: Turns raw scores into probabilities.
        index_identity: What the running embedder and analysis make indexes with.
        reranker: Reads the best candidates again; None where it is off.
    """

    live: LiveChunks
    indexes: Indexes
    embedder: Embedder
    analyser: Callable[[str], Sequence[str]]
    relevance: Relevance
    index_identity: str
    reranker: Reranker | None = None


@dataclass(frozen=True, slots=True)
class _Query:
    """A query as the indexes take it."""

    vector: NDArray[np.float32]
    terms: Sequence[str]
    scope: Scope


class Stopwatch:
    """Measures stages of one request in milliseconds."""

    def __init__(self) -> None:
        self.timings_ms: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        """Book the time since the last lap on `stage`."""
        now = time.perf_counter()
        self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + (now - self._last) * 1000
        self._last = now


class RetrievePipeline:
    """Finds the chunks that are relevant to a query, by any strategy, with scores that mean the same in each.

    Args:
        parts: What it works with.
        plan: How it goes about it.
    """

    def __init__(self, parts: RetrieveParts, plan: RetrievalPlan) -> None:
        self._parts = parts
        self._plan = plan

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the best `k` hits; none where nothing is found or the filter passes nothing.

        Raises:
            NotFound: If the collection is not there.
            IndexMismatch: If its index was made by another embedder or analysis.
            Unavailable: If a store is down.
        """
        watch = Stopwatch()
        collection = await self._parts.live.collection(request.collection)
        self._check(collection)
        scope = await self._parts.live.scope(collection.collection_id, request.filter)
        index = await self._parts.indexes.open(collection.index_name)
        watch.lap("scope")
        terms = self._parts.analyser(request.query)
        vectors, frequencies = await asyncio.gather(
            self._parts.embedder.embed([request.query], "query"), index.terms.document_frequencies(set(terms))
        )
        watch.lap("embed")
        weights = term_weights(terms, *frequencies)
        query = _Query(vectors[0], terms, scope)
        candidates = await self._candidates(request, index, query, watch)
        ranked = fuse(candidates, self._strategy(request), self._plan.fusion, attainable=weights.attainable)
        watch.lap("fuse")
        stored = await self._fetch(collection.collection_id, ranked.keys.tolist(), request)
        watch.lap("fetch")
        hits = self._hits(ranked, stored, weights)
        if self._parts.reranker is not None:
            hits = await self._rerank(self._parts.reranker, request.query, hits)
            watch.lap("rerank")
        return SearchResult(tuple(hits[: request.k]), watch.timings_ms, collection, weights, vectors[0])

    async def _fetch(self, collection_id: str, keys: list[int], request: SearchRequest) -> dict[int, StoredChunk]:
        """Return the best keys that are live, as many as are wanted; the others are not looked up."""
        wanted = max(request.k, self._plan.rerank if self._parts.reranker is not None else 0)
        stored: dict[int, StoredChunk] = {}
        start = 0
        while start < len(keys) and len(stored) < wanted:
            some = keys[start : start + wanted + _SPARE]
            stored |= await self._parts.live.fetch(collection_id, some, request.filter)
            start += len(some)
        return stored

    def _check(self, collection: Collection) -> None:
        if collection.index_identity != self._parts.index_identity:
            raise IndexMismatch(
                f"collection {collection.name!r} was indexed with {collection.index_identity}, and "
                f"{self._parts.index_identity} is running; go back to the former, or ingest it anew"
            )

    def _strategy(self, request: SearchRequest) -> Strategy:
        return request.strategy or self._plan.strategy

    async def _candidates(self, request: SearchRequest, index: Index, query: _Query, watch: Stopwatch) -> Candidates:
        """Return the candidates of the strategy with both scores each."""
        dense, bm25 = await self._proposed(request, index, query)
        watch.lap("search")
        cosines, others = await asyncio.gather(
            index.vectors.score(query.vector, bm25.keys() - dense.keys()),
            index.lexical.score(query.terms, dense.keys() - bm25.keys()),
        )
        watch.lap("complete")
        return _joined({**dense, **cosines}, {**bm25, **others})

    async def _proposed(self, request: SearchRequest, index: Index, query: _Query) -> tuple[Scores, Scores]:
        """Return what each side proposes: cosines and BM25 scores by key."""
        n = max(self._plan.candidates, request.k)
        if query.scope.is_nothing:
            return {}, {}
        match self._strategy(request):
            case Strategy.HYBRID:
                return await asyncio.gather(
                    index.vectors.search(query.vector, n, query.scope),
                    index.lexical.search(query.terms, n, query.scope),
                )
            case Strategy.DENSE:
                return await index.vectors.search(query.vector, n, query.scope), {}
            case Strategy.LEXICAL:
                return {}, await index.lexical.search(query.terms, n, query.scope)
            case Strategy.PREFILTER:
                n = max(n, self._plan.prefilter)
                return {}, await index.lexical.search(query.terms, n, query.scope)

    def _hits(self, ranked: Candidates, stored: Mapping[int, StoredChunk], weights: TermWeights) -> list[Hit]:
        probabilities = self._parts.relevance.probabilities(ranked.cosine, ranked.bm25, weights)
        rows = zip(
            ranked.keys.tolist(),
            falling(probabilities).tolist(),
            ranked.cosine.tolist(),
            ranked.bm25.tolist(),
            ranked.fused.tolist(),
            strict=True,
        )
        return [Hit(stored[key], p, cos, bm25, fused) for key, p, cos, bm25, fused in rows if key in stored]

    async def _rerank(self, reranker: Reranker, query: str, hits: list[Hit]) -> list[Hit]:
        """Order the best hits by the reranker; the others follow in their order."""
        first, rest = hits[: self._plan.rerank], hits[self._plan.rerank :]
        texts = [indexed_text(hit.stored.title, hit.stored.chunk) for hit in first]
        scores = np.asarray(await reranker.rerank(query, texts), dtype=np.float64)
        order = np.argsort(-scores, kind="stable")
        ordered = [first[i] for i in order] + rest
        probabilities = np.concatenate([scores[order], [hit.score for hit in rest]])
        return [
            Hit(hit.stored, float(p), hit.cosine, hit.bm25, hit.fused)
            for hit, p in zip(ordered, falling(probabilities), strict=True)
        ]


def _joined(cosine: Scores, bm25: Scores) -> Candidates:
    """Bring both sides' scores over the same keys together; a key that one index lacks is left out."""
    keys = sorted(cosine.keys() & bm25.keys())
    return Candidates(
        np.array(keys, dtype=np.int64),
        np.array([cosine[key] for key in keys], dtype=np.float64),
        np.array([bm25[key] for key in keys], dtype=np.float64),
    )
