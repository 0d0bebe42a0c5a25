"""A platform in this process, as evaluations see it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ragstead.errors import InvalidRequest, NotFound, TooLarge
from ragstead.model import Answer, Citation, Hit, State
from ragstead.pipelines.asking import Answerer, AskRequest, answer_of
from ragstead.pipelines.ingest import IngestPipeline, Submission
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.ports.collections import Collections
from ragstead.ports.documents import Documents
from ragstead.ports.evaluated import AnswerRecord, CitedQuote, FoundPassage, SourceDocument

_DOCUMENTS_A_BATCH = 200


class Searcher(Protocol):
    """Finds passages: the pipeline itself, or what passes requests to the live one."""

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the hits, best first."""
        ...


@dataclass(frozen=True, slots=True)
class PlatformParts:
    """What of a platform is evaluated."""

    answerer: Answerer
    retriever: Searcher
    ingestor: IngestPipeline
    collections: Collections
    documents: Documents


class PlatformSystem:
    """Is an `EvaluatedSystem` over the pipelines of this process.

    Args:
        parts: The pipelines.
        release: Of the pipelines.
        agent: Whether the agent answers.
    """

    def __init__(self, parts: PlatformParts, release: str = "", *, agent: bool = False) -> None:
        self._parts = parts
        self.release = release
        self._agent = agent
        self._texts: dict[tuple[str, str], str] = {}

    async def take_in(self, collection: str, documents: Sequence[SourceDocument]) -> None:
        """Put the documents into the collection, and wait until they are found."""
        for at in range(0, max(1, len(documents)), _DOCUMENTS_A_BATCH):
            batch = [_submission(one) for one in documents[at : at + _DOCUMENTS_A_BATCH]]
            await self._parts.ingestor.submit(collection, batch)
        settled = await self._parts.ingestor.settle(collection)
        if settled.counts.get(State.FAILED):
            for one in documents:
                document = await self._parts.documents.find(settled.collection_id, one.document_id)
                if document.state is State.FAILED:
                    raise InvalidRequest(f"{one.document_id!r} can't be indexed: {document.reason}")

    async def forget(self, collection: str) -> None:
        """Take the whole collection out; one that is not there is no error."""
        with suppress(NotFound):
            await self._parts.ingestor.delete_collection(collection)

    async def ask(self, question: str, collection: str) -> AnswerRecord | None:
        """Return the answer, with what stands where its citations point; None where it is not accepted."""
        began = time.perf_counter()
        try:
            request = AskRequest(question, collection, agent=self._agent)
            answer = await answer_of(self._parts.answerer.stream(request))
        except (InvalidRequest, TooLarge):
            return None
        latency_ms = 1000 * (time.perf_counter() - began)
        return await self._record(answer, collection, latency_ms)

    async def find(self, question: str, collection: str, k: int) -> list[FoundPassage] | None:
        """Return up to `k` passages, best first; None where the question is not accepted."""
        try:
            found = await self._parts.retriever.search(SearchRequest(question, collection, k))
        except (InvalidRequest, TooLarge):
            return None
        return [_passage(hit) for hit in found.hits]

    async def _record(self, answer: Answer, collection: str, latency_ms: float) -> AnswerRecord:
        quotes = [await self._quote(citation, collection) for citation in answer.citations]
        return AnswerRecord(
            answer.content,
            answer.refused,
            answer.p_supported,
            tuple(quotes),
            answer.receipt.dropped_citations,
            latency_ms,
            answer.receipt.cost_usd,
            answer.receipt.release,
            answer.receipt.model,
            answer.receipt.trace_id,
        )

    async def _quote(self, citation: Citation, collection: str) -> CitedQuote:
        text = await self._text(collection, citation.stored.document_id)
        return CitedQuote(
            citation.start,
            citation.end,
            citation.stored.document_id,
            citation.stored.filename,
            citation.quote,
            text[citation.quote_start : citation.quote_end],
        )

    async def _text(self, collection: str, document_id: str) -> str:
        key = collection, document_id
        if key not in self._texts:
            found = await self._parts.collections.find(collection)
            self._texts[key] = await self._parts.documents.text(found.collection_id, document_id)
        return self._texts[key]


def _submission(one: SourceDocument) -> Submission:
    return Submission(
        one.document_id, one.document_id, one.data, one.attributes, title=one.title, plain_text=one.is_text
    )


def _passage(hit: Hit) -> FoundPassage:
    stored = hit.stored
    return FoundPassage(
        stored.document_id, stored.filename, hit.score, stored.chunk.text, stored.chunk.injection or 0.0
    )
