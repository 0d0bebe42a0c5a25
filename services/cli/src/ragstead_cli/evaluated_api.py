"""A platform behind its HTTP API, as evaluations see it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

from ragstead.errors import InvalidRequest, TooLarge
from ragstead.ports.evaluated import AnswerRecord, CitedQuote, FoundPassage, SourceDocument
from ragstead_cli.api import Api, Json, store_path
from ragstead_cli.errors import Missing
from ragstead_cli.output import say
from ragstead_cli.queries import Options, ask
from ragstead_cli.sources import Failure
from ragstead_cli.uploads import Uploader


class ApiSystem:
    """Is an `EvaluatedSystem` over one platform's API.

    Args:
        api: The platform.
        options: How it is asked; the collection is each question's own.
        max_bytes: Documents over it are not taken in.
    """

    def __init__(self, api: Api, options: Options, *, max_bytes: int) -> None:
        self._api = api
        self._options = options
        self._max_bytes = max_bytes
        self._texts: dict[tuple[str, str], str] = {}

    async def take_in(self, collection: str, documents: Sequence[SourceDocument]) -> None:
        """Put the documents into the collection, and wait until they are found."""
        uploader = Uploader(self._api, collection, {}, max_bytes=self._max_bytes)
        for one in documents:
            path = store_path(collection, "documents", one.document_id)
            name = f"{one.document_id}.txt" if one.is_text else one.document_id
            view = await self._api.send("PUT", path, params={"filename": name}, content=one.data)
            uploader.report.sent[view["document_id"]] = one.document_id
        failures: list[Failure] = (await uploader.settle(lambda _: None)).failures
        if failures:
            raise InvalidRequest(f"{failures[0].path!r} can't be indexed: {failures[0].reason}")

    async def forget(self, collection: str) -> None:
        """Take the whole collection out; one that is not there is no error."""
        try:
            await self._api.send("DELETE", store_path(collection))
        except Missing:
            return

    async def ask(self, question: str, collection: str) -> AnswerRecord | None:
        """Return the answer, with what stands where its citations point; None where it is not accepted, told."""
        began = time.perf_counter()
        try:
            answer = await ask(self._api, question, replace(self._options, collection=collection))
        except (InvalidRequest, TooLarge) as error:
            say(f"ragstead: {question!r:.80} was not accepted: {error}")
            return None
        latency_ms = 1000 * (time.perf_counter() - began)
        receipt = answer["receipt"]
        quotes = [quote async for quote in self._quotes(answer["citations"], collection)]
        return AnswerRecord(
            answer["answer"],
            answer["refused"],
            answer["p_supported"],
            tuple(quotes),
            receipt.get("dropped_citations") or 0,
            latency_ms,
            receipt.get("cost_usd") or 0.0,
            receipt.get("release") or "",
            receipt.get("model") or "",
            receipt.get("trace_id") or "",
        )

    async def find(self, question: str, collection: str, k: int) -> list[FoundPassage] | None:
        """Return up to `k` passages, best first; None where the question is not accepted, told."""
        body = {**replace(self._options, collection=collection, k=k).body(), "query": question}
        try:
            hits = (await self._api.post("/v1/search", body))["hits"]
        except (InvalidRequest, TooLarge) as error:
            say(f"ragstead: {question!r:.80} was not accepted: {error}")
            return None
        return [
            FoundPassage(hit["document_id"], hit["filename"], hit["score"], hit["text"], hit.get("injection", 0.0))
            for hit in hits
        ]

    async def _quotes(self, citations: Sequence[Json], collection: str) -> AsyncIterator[CitedQuote]:
        for one in citations:
            text = await self._text(collection, one["document_id"])
            found = text[one["quote_start"] : one["quote_end"]]
            yield CitedQuote(one["start"], one["end"], one["document_id"], one["filename"], one["quote"], found)

    async def _text(self, collection: str, document_id: str) -> str:
        key = collection, document_id
        if key not in self._texts:
            try:
                view = await self._api.get(store_path(collection, "documents", document_id), text="true")
            except Missing:  # a citation of what is not there stands nowhere
                view = {"text": ""}
            self._texts[key] = view["text"] or ""
        return self._texts[key]
