"""Answers that were given before, to the very same question on the very same documents."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import unicodedata
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, fields, replace

from pydantic import TypeAdapter, ValidationError

from ragstead.model import Answer, Collection
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.route import is_fallback
from ragstead.ports.cache import Cache

_FORMAT = "answer 1"
"""Of keys and entries; another one makes all that is kept a miss."""
_ANSWERS: TypeAdapter[Answer] = TypeAdapter(Answer)
_OF_CONVERSATIONS = {"owner", "conversation_id", "private"}
"""Fields of a request for those that the server keeps, whose answers are kept nowhere else."""
_TOLD_OTHERWISE = {"question", "messages", "collection", "affinity", "release", "trace", *_OF_CONVERSATIONS}
"""Those, and others that stand in the key in another form, or, as affinity, by what follows from them; a trace
says nothing of an answer."""


@dataclass(frozen=True, slots=True)
class CachePlan:
    """What a kept answer depends on beside the request.

    Attributes:
        release: Of the pipeline.
        writer: From a request to the model that would be asked first.
        cache: From a request to where its answer is kept, by how long; None: nowhere.
        temperature: Of a model where the caller names none.
    """

    release: str
    writer: Callable[[AskRequest, Collection], str]
    cache: Callable[[AskRequest], Cache | None]
    temperature: float = 0.0


class CachedAnswers(Answerer):
    """Answers from what is kept, and keeps what is answered; one caller computes while the same question waits.

    Kept is what another call would answer alike: nothing that was drawn at random, and no answer of a fallback. A new
    version of the collection is another key, so what is kept of an old one is never shown again. Belongs to one event
    loop.

    Args:
        answering: Answers.
        collection: Finds a collection by name or id, without its counts.
        plan: What answers depend on.
    """

    def __init__(
        self, answering: Answerer, collection: Callable[[str], Awaitable[Collection]], plan: CachePlan
    ) -> None:
        self._answering = answering
        self._collection = collection
        self._plan = plan
        self._computing: dict[bytes, asyncio.Future[Answer | None]] = {}

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, in one piece where it was kept, and last the answer.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        began = time.perf_counter()
        passing = request.private or _is_drawn(request, self._plan.temperature)
        cache = None if passing else self._plan.cache(request)
        if cache is None:
            pieces = self._answering.stream(request)
        else:
            collection = await self._collection(request.collection)
            key = _key(request, collection, self._plan)
            kept = await self._kept(cache, key)
            if kept is not None:
                yield kept.content
                yield _as_hit(kept, request, began)
                return
            pieces = self._computed(request, cache, key, collection.version)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def _kept(self, cache: Cache, key: bytes) -> Answer | None:
        """Return what is kept, or what somebody is computing now; None where it is the caller's turn to compute."""
        while True:
            (entry,) = await cache.get_many([key])
            if entry is not None and (kept := _read(entry)) is not None:
                return kept
            computing = self._computing.get(key)
            if computing is None:
                return None
            shared = await asyncio.shield(computing)
            if shared is not None:
                return shared

    async def _computed(
        self, request: AskRequest, cache: Cache, key: bytes, version: int
    ) -> AsyncGenerator[str | Answer, None]:
        computing: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._computing[key] = computing
        try:
            async with aclosing(self._answering.stream(request)) as pieces:
                async for piece in pieces:
                    if not isinstance(piece, Answer):
                        yield piece
                        continue
                    answer = replace(piece, receipt=replace(piece.receipt, cache="miss"))
                    if answer.receipt.collection_version == version and not _is_makeshift(answer):
                        await _keep(cache, key, answer)
                    computing.set_result(answer)
                    yield answer
        finally:
            del self._computing[key]
            if not computing.done():
                computing.set_result(None)  # it failed, or its caller left: the next one computes


def _is_makeshift(answer: Answer) -> bool:
    """Whether another took a model's place, to write it or to plan its searches."""
    return is_fallback(answer.receipt.route) or any(step.note for step in answer.receipt.steps)


def _is_drawn(request: AskRequest, temperature: float) -> bool:
    """Whether a model would draw the answer's words at random, so that the next call would have others."""
    given = request.sampling
    return bool(temperature if given.temperature is None else given.temperature) and given.seed is None


def _key(request: AskRequest, collection: Collection, plan: CachePlan) -> bytes:
    """All that an answer depends on. Every caller may read every collection; who may read less has to stand in it."""
    question = unicodedata.normalize("NFC", " ".join(request.question.split()))
    history = [(message.role, message.content) for message in request.messages[:-1]]
    others = {one.name: repr(getattr(request, one.name)) for one in fields(request) if one.name not in _TOLD_OTHERWISE}
    place = [collection.collection_id, collection.version, collection.may_leave]
    parts = [_FORMAT, plan.release, plan.writer(request, collection), place, question, history, others]
    return hashlib.sha256(json.dumps(parts).encode()).digest()


def _as_hit(kept: Answer, request: AskRequest, began: float) -> Answer:
    ms = round((time.perf_counter() - began) * 1000, 3)
    receipt = replace(
        kept.receipt,
        cache="hit",
        trace_id=request.trace.trace_id,
        cost_usd=0.0,
        timings_ms={"cache": ms, "total": ms},
    )
    return replace(kept, receipt=receipt)


async def _keep(cache: Cache, key: bytes, answer: Answer) -> None:
    try:
        entry = _ANSWERS.dump_json(answer)
    except ValueError:
        return  # pydantic's word for lone surrogates, which no JSON can hold: it is computed again
    await cache.set_many({key: entry})


def _read(entry: bytes) -> Answer | None:
    try:
        return _ANSWERS.validate_json(entry)
    except ValidationError:
        return None  # somebody else's bytes: a miss
