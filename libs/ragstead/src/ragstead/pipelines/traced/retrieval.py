"""Retrieval with spans: the search itself, its embedding, both sides of it, and the reranker."""

from __future__ import annotations

from collections.abc import Sequence, Set
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ragstead.model import Role, Scope
from ragstead.pipelines.answer import Assessor, Evidence
from ragstead.pipelines.retrieve import RetrievePipeline, SearchRequest, SearchResult
from ragstead.pipelines.traced.contents import hits_content
from ragstead.ports.embedder import Embedder
from ragstead.ports.indexes import Index, Indexes
from ragstead.ports.lexical_index import LexicalIndex
from ragstead.ports.reranker import Reranker
from ragstead.ports.tracer import Kind, Span
from ragstead.ports.vector_index import Scores, VectorIndex
from ragstead.tracing import current, span


class TracedRetriever(RetrievePipeline):
    """Is a `RetrievePipeline` whose searches are spans of the trace that they belong to."""

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return what the pipeline finds, and raise what it raises."""
        with span("retrieve", Kind.RETRIEVER) as step:
            found = await super().search(request)
            if step is not None:
                book_search(step, request, found)
        return found

    async def weigh(self, request: SearchRequest, keys: Set[int]) -> SearchResult:
        """Return what the pipeline makes of the chunks, and raise what it raises."""
        with span("weigh", Kind.RETRIEVER) as step:
            found = await super().weigh(request, keys)
            if step is not None:
                book_search(step, request, found)
        return found


def book_search(step: Span, request: SearchRequest, found: SearchResult) -> None:
    """Book a search and what it found."""
    step.input = request.query
    step.output = partial(hits_content, found.hits)
    step.facts |= {
        "collection": found.collection.name,
        "collection_id": found.collection.collection_id,
        "collection_version": found.collection.version,
        "k": request.k,
        "hits": len(found.hits),
        "best_score": found.hits[0].score if found.hits else 0.0,
    }
    if request.strategy is not None:
        step.facts["strategy"] = request.strategy.value


class TracedEmbedder:
    """Is an `Embedder` that books what it embeds."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder

    @property
    def identity(self) -> str:
        """The embedder's own."""
        return self._embedder.identity

    @property
    def dim(self) -> int:
        """The embedder's own."""
        return self._embedder.dim

    async def embed(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Return the embedder's vectors, and raise what it raises."""
        with span("embed", Kind.EMBEDDING) as step:
            if step is not None:
                step.model = self._embedder.identity
                if len(texts) == 1:  # many are the sentences of passages that stand in the trace already
                    step.input = texts[0]
                step.facts |= {"texts": len(texts), "role": role, "dim": self._embedder.dim}
            return await self._embedder.embed(texts, role)


class TracedIndexes:
    """Is `Indexes` whose searches are booked, as `bm25` and `dense`."""

    def __init__(self, indexes: Indexes) -> None:
        self._indexes = indexes

    async def open(self, name: str) -> Index:
        """Return the index, and raise what the indexes raise."""
        index = await self._indexes.open(name)
        if current() is None:
            return index
        return Index(TracedVectors(index.vectors), TracedLexical(index.lexical), index.terms, index.contents)

    async def drop(self, name: str) -> None:
        """Remove the index."""
        await self._indexes.drop(name)


class TracedVectors:
    """Is a `VectorIndex` whose searches are booked."""

    def __init__(self, vectors: VectorIndex) -> None:
        self._vectors = vectors
        self.add = vectors.add
        self.remove = vectors.remove
        self.score = vectors.score

    async def search(self, vector: NDArray[np.float32], k: int, scope: Scope) -> Scores:
        """Return the index's cosines."""
        with span("dense", Kind.RETRIEVER) as step:
            found = await self._vectors.search(vector, k, scope)
            if step is not None:
                _book_scores(step, k, found)
        return found


class TracedLexical:
    """Is a `LexicalIndex` whose searches are booked."""

    def __init__(self, lexical: LexicalIndex) -> None:
        self._lexical = lexical
        self.add = lexical.add
        self.remove = lexical.remove
        self.score = lexical.score

    async def search(self, terms: Sequence[str], k: int, scope: Scope) -> Scores:
        """Return the index's scores."""
        with span("bm25", Kind.RETRIEVER) as step:
            found = await self._lexical.search(terms, k, scope)
            if step is not None:
                step.facts["terms"] = len(terms)  # not which: an address cut into terms is none that is redacted
                _book_scores(step, k, found)
        return found


_SHOWN = 10
"""Scores of one side that stand in a trace, of the hundred that it proposes."""


def _book_scores(step: Span, k: int, found: Scores) -> None:
    step.facts |= {"k": k, "found": len(found)}
    step.output = partial(_scores_content, found)


def _scores_content(found: Scores) -> dict[str, float]:
    return {str(key): round(score, 4) for key, score in list(found.items())[:_SHOWN]}


class TracedReranker:
    """Is a `Reranker` that books what it reads."""

    def __init__(self, reranker: Reranker) -> None:
        self._reranker = reranker

    @property
    def name(self) -> str:
        """The reranker's own."""
        return self._reranker.name

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return the reranker's probabilities, and raise what it raises."""
        with span("rerank", Kind.RETRIEVER) as step:
            scores = await self._reranker.rerank(query, passages)
            if step is not None:
                step.input, step.output, step.model = query, [round(one, 4) for one in scores], self._reranker.name
                step.facts["passages"] = len(passages)
        return scores


class TracedAssessor:
    """Is an `Assessor` that books its judgement."""

    def __init__(self, assessor: Assessor) -> None:
        self._assessor = assessor

    async def __call__(self, question: str, found: SearchResult) -> Evidence:
        """Return the assessor's evidence, and raise what it raises."""
        with span("assess", Kind.EVALUATOR) as step:
            evidence = await self._assessor(question, found)
            if step is not None:
                step.input = question
                step.output = partial(_sentences_content, evidence, found)
                step.facts |= {"p_supported": evidence.support.p_supported, "sentences": len(evidence.sentences)}
        return evidence


def _sentences_content(evidence: Evidence, found: SearchResult) -> list[dict[str, str | float]]:
    return [
        {
            "chunk_id": found.hits[one.passage - 1].stored.chunk_id,
            "sentence": found.hits[one.passage - 1].stored.chunk.text[one.start : one.end],
            "probability": round(one.probability, 4),
        }
        for one in evidence.sentences
    ]
