"""A query's way to its hits: BM25 and vectors, fused, calibrated, and only what is live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragstead.egress import refuse_egress
from ragstead.errors import IndexMismatch, InvalidRequest
from ragstead.filters import Filter
from ragstead.fusion import Candidates, FusionPlan, contenders, fuse
from ragstead.model import Collection, Hit, Scope, StoredChunk, Strategy, indexed_text
from ragstead.ports.embedder import Embedder
from ragstead.ports.indexes import Index, Indexes
from ragstead.ports.live_chunks import LiveChunks
from ragstead.ports.reranker import Reranker
from ragstead.ports.tracer import TraceContext
from ragstead.ports.vector_index import Scores
from ragstead.relevance import Relevance, TermWeights, falling, term_weights
from ragstead.tracing import span


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A query and where to look.

    Attributes:
        query: What is looked for, in words; no query language.
        collection: Name or id.
        k: Hits wanted, 1 to 1000.
        strategy: None for the configured one.
        filter: Which documents may be returned; None for all.
        trace: Where its trace begins, where it is no part of another.
    """

    query: str
    collection: str = "default"
    k: int = 10
    strategy: Strategy | None = None
    filter: Filter | None = None
    trace: TraceContext = field(default_factory=TraceContext, compare=False)

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
        timings_ms: Milliseconds by stage: `scope`, `embed`, `bm25`, `dense`, `fuse`, `fetch`, and `rerank` where it is
            on. The vector is made while BM25 looks, so their sum is more than the whole.
        collection: The collection as it was when the search began.
        weights: How much each term of the query weighs in this collection.
        vector: The query's, of shape `[dim]`.
        withheld: In how many hits the guard found an injection.
        refused: What the guard found in a query that it refused, and for which nothing was looked up.
    """

    hits: tuple[Hit, ...]
    timings_ms: Mapping[str, float]
    collection: Collection
    weights: TermWeights
    vector: NDArray[np.float32]
    withheld: int = 0
    refused: tuple[str, ...] = ()


class Searches(Protocol):
    """Finds evidence: retrieval itself, or what stands before it and does more."""

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the best `k` hits."""
        ...

    async def weigh(self, request: SearchRequest, keys: Set[int]) -> SearchResult:
        """Return of the chunks `keys` those that the request may see, scored against its query as a search scores."""
        ...


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
        leaves: Whether the embedder sends texts to a hosted API.
    """

    live: LiveChunks
    indexes: Indexes
    embedder: Embedder
    analyser: Callable[[str], Sequence[str]]
    relevance: Relevance
    index_identity: str
    reranker: Reranker | None = None
    leaves: bool = False


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

    @contextmanager
    def stage(self, stage: str) -> Iterator[None]:
        """Book the time of the block on `stage`, whatever runs beside it."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + (time.perf_counter() - began) * 1000


@dataclass(frozen=True, slots=True)
class _Lexical:
    """Where a query is looked for, and what BM25 says before there is a vector.

    Attributes:
        collection: As it was when the search began.
        index: Its index.
        scope: What the filter leaves.
        terms: The query's.
        weights: How much each of them weighs.
        bm25: What BM25 proposes.
    """

    collection: Collection
    index: Index
    scope: Scope
    terms: Sequence[str]
    weights: TermWeights
    bm25: Scores


@dataclass(frozen=True, slots=True)
class _Query:
    """A query as both sides have answered it.

    Attributes:
        request: As it came.
        vector: Shape `[dim]`.
        lexical: BM25's side.
        dense: Cosines that the vectors propose.
    """

    request: SearchRequest
    vector: NDArray[np.float32]
    lexical: _Lexical
    dense: Scores


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
            Forbidden: If the query would be sent to a hosted API, and the collection's owner did not say that it may.
            Unavailable: If a store is down.
        """
        watch = Stopwatch()
        with watch.stage("total"):
            if self._parts.leaves:  # else the query is on its way to a vector while the collection is looked up
                self._check(await self._parts.live.collection(request.collection))
            vector, lexical = await asyncio.gather(self._vector(request.query, watch), self._lexical(request, watch))
            query = _Query(request, vector, lexical, await self._dense(request, lexical, vector, watch))
            ranked, stored = await self._best(query, watch)
            hits = self._hits(ranked, stored, lexical.weights)
            if self._parts.reranker is not None:
                with watch.stage("rerank"):
                    hits = await self._rerank(self._parts.reranker, request.query, hits)
        return SearchResult(tuple(hits[: request.k]), watch.timings_ms, lexical.collection, lexical.weights, vector)

    async def weigh(self, request: SearchRequest, keys: Set[int]) -> SearchResult:
        """Return of the chunks `keys` those that the request may see, scored against its query as a search scores.

        They may have been found for another query: what that one made of them counts for nothing here. At most `k`.

        Raises:
            NotFound: If the collection is not there.
            IndexMismatch: If its index was made by another embedder or analysis.
            Forbidden: If the query would be sent to a hosted API, and the collection's owner did not say that it may.
            Unavailable: If a store is down.
        """
        watch = Stopwatch()
        with watch.stage("total"):
            if self._parts.leaves:
                self._check(await self._parts.live.collection(request.collection))
            vector, lexical = await asyncio.gather(self._vector(request.query, watch), self._lexical(request, watch))
            query = _Query(request, vector, lexical, {})
            with watch.stage("fuse"), span("fuse"):
                ranked = await self._all_ranked(query, keys)
            with watch.stage("fetch"):
                stored = await self._fetch(query, ranked.keys.tolist(), request.k)
            hits = self._hits(ranked, stored, lexical.weights)
            if self._parts.reranker is not None:
                with watch.stage("rerank"):
                    hits = await self._rerank(self._parts.reranker, request.query, hits)
        return SearchResult(tuple(hits), watch.timings_ms, lexical.collection, lexical.weights, vector)

    async def _vector(self, query: str, watch: Stopwatch) -> NDArray[np.float32]:
        with watch.stage("embed"):
            vectors = await self._parts.embedder.embed([query], "query")
        return np.asarray(vectors[0])

    async def _lexical(self, request: SearchRequest, watch: Stopwatch) -> _Lexical:
        with watch.stage("scope"):
            collection = await self._parts.live.collection(request.collection)
            self._check(collection)
            scope = await self._parts.live.scope(collection.collection_id, request.filter)
            index = await self._parts.indexes.open(collection.index_name)
        with watch.stage("bm25"):
            terms = self._parts.analyser(request.query)
            frequencies = await index.terms.document_frequencies(set(terms))
            found: Scores = {}
            if self._strategy(request) is not Strategy.DENSE and not scope.is_nothing:
                found = await index.lexical.search(terms, self._asked(request), scope)
        return _Lexical(collection, index, scope, terms, term_weights(terms, *frequencies), found)

    async def _dense(
        self, request: SearchRequest, lexical: _Lexical, vector: NDArray[np.float32], watch: Stopwatch
    ) -> Scores:
        if self._strategy(request) not in (Strategy.HYBRID, Strategy.DENSE) or lexical.scope.is_nothing:
            return {}
        with watch.stage("dense"):
            return await lexical.index.vectors.search(vector, self._asked(request), lexical.scope)

    async def _best(self, query: _Query, watch: Stopwatch) -> tuple[Candidates, dict[int, StoredChunk]]:
        """Return the candidates in their order and those of the best that are live, as many as are wanted.

        The scores that one side lacks are looked up for those candidates alone that can be among the wanted; for all
        of them only where some of these turn out not to be live any more.
        """
        wanted = max(query.request.k, self._plan.rerank if self._parts.reranker is not None else 0)
        candidates = query.dense.keys() | query.lexical.bm25.keys()
        with watch.stage("fuse"), span("fuse"):
            ranked = await self._ranked(query, wanted)
        with watch.stage("fetch"):
            stored = await self._fetch(query, ranked.keys[:wanted].tolist(), wanted)
        if len(stored) < min(wanted, len(candidates)):
            with watch.stage("fuse"), span("fuse"):
                ranked = await self._ranked(query, len(candidates))
            with watch.stage("fetch"):
                stored = await self._fetch(query, ranked.keys.tolist(), wanted)
        return ranked, stored

    async def _ranked(self, query: _Query, n: int) -> Candidates:
        """Return the candidates that can be among the best `n` with both scores each, in their order."""
        strategy, lexical = self._strategy(query.request), query.lexical
        dense, bm25, attainable = query.dense, lexical.bm25, lexical.weights.attainable
        keys: Set[int] = dense.keys() | bm25.keys()
        if strategy is Strategy.HYBRID:
            keys = contenders(
                dense, bm25, self._plan.fusion, attainable=attainable, n=n, asked=self._asked(query.request)
            )
        if keys - dense.keys():
            dense = {**dense, **await lexical.index.vectors.score(query.vector, keys - dense.keys())}
        if keys - bm25.keys():
            bm25 = {**bm25, **await lexical.index.lexical.score(lexical.terms, keys - bm25.keys())}
        candidates = _joined(keys, dense, bm25)
        return fuse(candidates, strategy, self._plan.fusion, attainable=attainable)

    async def _all_ranked(self, query: _Query, keys: Set[int]) -> Candidates:
        """Return the chunks `keys` with both scores each, in their order."""
        index = query.lexical.index
        dense = await index.vectors.score(query.vector, keys)
        bm25 = await index.lexical.score(query.lexical.terms, keys)
        strategy, attainable = self._strategy(query.request), query.lexical.weights.attainable
        return fuse(_joined(keys, dense, bm25), strategy, self._plan.fusion, attainable=attainable)

    async def _fetch(self, query: _Query, keys: list[int], wanted: int) -> dict[int, StoredChunk]:
        """Return the best keys that are live, as many as are wanted; the others are not looked up."""
        collection_id = query.lexical.collection.collection_id
        stored: dict[int, StoredChunk] = {}
        start = 0
        while start < len(keys) and len(stored) < wanted:
            some = keys[start : start + wanted]
            stored |= await self._parts.live.fetch(collection_id, some, query.request.filter)
            start += len(some)
        return stored

    def _check(self, collection: Collection) -> None:
        refuse_egress(collection.name, leaves=self._parts.leaves, may_leave=collection.may_leave)
        if collection.index_identity != self._parts.index_identity:
            raise IndexMismatch(
                f"collection {collection.name!r} was indexed with {collection.index_identity}, and "
                f"{self._parts.index_identity} is running; go back to the former, or ingest it anew"
            )

    def _strategy(self, request: SearchRequest) -> Strategy:
        return request.strategy or self._plan.strategy

    def _asked(self, request: SearchRequest) -> int:
        """How many candidates each side is asked for."""
        n = max(self._plan.candidates, request.k)
        return max(n, self._plan.prefilter) if self._strategy(request) is Strategy.PREFILTER else n

    def _hits(self, ranked: Candidates, stored: Mapping[int, StoredChunk], weights: TermWeights) -> list[Hit]:
        probabilities = self._parts.relevance.probabilities(ranked.cosine, ranked.bm25, weights)
        shown = [row for row, key in enumerate(ranked.keys.tolist()) if key in stored]
        return [
            Hit(stored[key], p, cosine, bm25, fused)
            for key, p, cosine, bm25, fused in zip(
                ranked.keys[shown].tolist(),
                falling(probabilities[shown]).tolist(),
                ranked.cosine[shown].tolist(),
                ranked.bm25[shown].tolist(),
                ranked.fused[shown].tolist(),
                strict=True,
            )
        ]

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


def _joined(among: Set[int], cosine: Scores, bm25: Scores) -> Candidates:
    """Bring both sides' scores over the same keys together; a key that one index lacks is left out."""
    keys = sorted(among & cosine.keys() & bm25.keys())
    return Candidates(
        np.array(keys, dtype=np.int64),
        np.array([cosine[key] for key in keys], dtype=np.float64),
        np.array([bm25[key] for key in keys], dtype=np.float64),
    )
