"""Searches and questions through the API, one or many."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from ragstead.errors import InvalidRequest, TooLarge
from ragstead_cli.api import Api, Json
from ragstead_cli.beir import Query
from ragstead_cli.in_flight import in_flight
from ragstead_cli.output import say

MOST_CHUNKS = 1000
"""What one search may return."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a search or a question may be narrowed by; None leaves it to the platform."""

    collection: str
    k: int | None = None
    strategy: str | None = None
    filter: Json | None = None

    def body(self) -> Json:
        """Those that were given, as the API names them."""
        given = {"k": self.k, "strategy": self.strategy, "filter": self.filter}
        return {"collection": self.collection, **{name: value for name, value in given.items() if value is not None}}


def parse_filter(text: str | None) -> Json | None:
    """Return the JSON object of `--filter`; what it means is the platform's to judge.

    Raises:
        InvalidRequest: If it is no JSON object.
    """
    if text is None:
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise InvalidRequest(
            f'--filter {text!r:.200} is no JSON object; e.g. {{"type":"eq","key":"team","value":"people"}}',
            param="--filter",
        )
    return value


async def search(api: Api, query: str, options: Options) -> Json:
    """Return the API's answer to one search, without what was not asked for."""
    view = await api.post("/v1/search", {"query": query, **options.body()})
    hits = [{name: value for name, value in hit.items() if name != "debug"} for hit in view["hits"]]
    refusal: Json = {name: view[name] for name in ("refused", "reason", "guard") if name in view}
    return {"hits": hits, "timings_ms": view["timings_ms"], **refusal}


async def ranked_documents(api: Api, query: str, options: Options, *, k: int) -> list[tuple[str, float]]:
    """Return up to `k` documents with the score of the best chunk of each, best first.

    Asks for `k` chunks, and for more as long as they stand for fewer documents and there may be more.
    """
    wanted = k
    while True:
        body = {**options.body(), "query": query, "k": wanted}
        found = await api.post("/v1/search", body)
        hits = found["hits"]
        if found.get("refused"):
            say(f"ragstead: {query!r:.80} was refused: {found['reason']}")
        best: dict[str, float] = {}
        for hit in hits:
            best.setdefault(hit["document_id"], hit["score"])
        if len(best) >= k or len(hits) < wanted or wanted == MOST_CHUNKS:
            return list(best.items())[:k]
        wanted = min(MOST_CHUNKS, wanted * 2)


async def rank_all(
    api: Api, queries: Sequence[Query], options: Options, *, k: int
) -> AsyncIterator[tuple[Query, list[tuple[str, float]] | None]]:
    """Yield each query with its ranked documents, in order; None for one that the platform refuses, told on stderr."""

    async def one(query: Query) -> tuple[Query, list[tuple[str, float]] | None]:
        try:
            return query, await ranked_documents(api, query.text, options, k=k)
        except (InvalidRequest, TooLarge) as error:
            _told(query, error)
            return query, None

    async for ranked in in_flight(queries, one):
        yield ranked


async def ask(api: Api, question: str, options: Options) -> Json:
    """Return the answer's parts: answer, refused, reason, p_supported, citations, receipt."""
    body: dict[str, Any] = {"model": "ragstead", "messages": [{"role": "user", "content": question}]}
    return answer_parts(await api.post("/v1/chat/completions", {**body, "rag": options.body()}))


def answer_parts(view: Json) -> Json:
    """Return the parts of an answer from the body of a chat completion."""
    rag = dict(view["rag"])
    rag.pop("debug", None)
    verdict = {name: rag.pop(name) for name in ("refused", "reason", "p_supported")}
    receipt = {"id": view["id"], **rag, "usage": view["usage"]}
    content = view["choices"][0]["message"]["content"]
    return {"answer": content, **verdict, "citations": view["citations"], "receipt": receipt}


async def ask_all(api: Api, questions: Sequence[Query], options: Options) -> AsyncIterator[tuple[Query, Json | None]]:
    """Yield each question with its answer, in order; None for one that the platform refuses, told on stderr."""

    async def one(question: Query) -> tuple[Query, Json | None]:
        try:
            return question, await ask(api, question.text, options)
        except (InvalidRequest, TooLarge) as error:
            _told(question, error)
            return question, None

    async for answered in in_flight(questions, one):
        yield answered


def _told(query: Query, error: Exception) -> None:
    say(f"ragstead: {query.query_id!r:.80} was not accepted: {error}")
