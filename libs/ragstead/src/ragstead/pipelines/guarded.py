"""The guard's places in the pipeline: before a question is looked at, and before a passage is evidence."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import aclosing
from dataclasses import replace

from ragstead.model import Answer, Collection, GuardReport, Reason, Receipt
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.retrieve import Searches, SearchRequest, SearchResult
from ragstead.ports.generator import Message
from ragstead.ports.guard import Guard, QuestionVerdict

_WORDS = {
    "injection": "instructions that would change how I answer",
    "language": "a language that I am not to answer in",
    "email": "an e-mail address",
    "phone": "a phone number",
    "card": "a payment card number",
    "iban": "an account number",
    "ip_address": "an IP address",
    "domain": "a web address",
    "us_ssn": "a social security number",
}


class GuardedAnswers(Answerer):
    """Is an `Answerer`: what a user wrote is judged before anything else sees it.

    A question that is refused is searched nowhere, kept in no conversation and shown to no model. Of the earlier turns
    that a caller sends along, those that would be refused are left out.

    Args:
        answerer: Answers what is not refused.
        guard: Judges.
        collection: Finds a collection by name or id, without its counts.
        release: Stamped on a refusal.
    """

    def __init__(
        self, answerer: Answerer, guard: Guard, collection: Callable[[str], Awaitable[Collection]], release: str
    ) -> None:
        self._answerer = answerer
        self._guard = guard
        self._collection = collection
        self._release = release

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer, whose content is all of it.

        Raises:
            NotFound: If the collection, or the owner's conversation, is not there.
            Conflict: If another turn of the conversation is being answered.
            Unavailable: If a part is down.
        """
        began = time.perf_counter()
        verdict = await self._guard.question(request.question)
        if verdict.refused:
            refusal = await self._refusal(request, verdict, began)
            yield refusal.content
            yield refusal
            return
        judged = replace(request, question=verdict.text, messages=await self._messages(request, verdict))
        spent_ms = (time.perf_counter() - began) * 1000
        async with aclosing(self._answerer.stream(judged)) as pieces:
            async for piece in pieces:
                yield _stamped(piece, verdict, spent_ms) if isinstance(piece, Answer) else piece

    async def _messages(self, request: AskRequest, verdict: QuestionVerdict) -> tuple[Message, ...]:
        """Return the conversation as it may be read: earlier turns redacted or left out, the last one as judged."""
        kept: list[Message] = []
        for message in request.messages[:-1]:
            if message.role != "user":
                kept.append(message)
                continue
            earlier = await self._guard.question(message.content)
            if not earlier.refused:
                kept.append(replace(message, content=earlier.text))
        for last in request.messages[-1:]:
            same = last.content == request.question
            kept.append(
                replace(last, content=verdict.text if same else (await self._guard.question(last.content)).text)
            )
        return tuple(kept)

    async def _refusal(self, request: AskRequest, verdict: QuestionVerdict, began: float) -> Answer:
        collection = await self._collection(request.collection)
        ms = round((time.perf_counter() - began) * 1000, 3)
        receipt = Receipt(
            self._release,
            collection.version,
            request.trace.trace_id,
            "guard",
            timings_ms={"guard": ms, "total": ms},
            guard=GuardReport(findings=verdict.findings),
        )
        words = f"I did not look this up: the question holds {found_words(verdict)}. Ask again without that."
        return Answer(words, (), True, Reason.GUARD_INPUT, 0.0, "stop", receipt)


def found_words(verdict: QuestionVerdict) -> str:
    """Return what was found, in words."""
    return " and ".join(_WORDS.get(one, one) for one in verdict.findings)


def _stamped(answer: Answer, verdict: QuestionVerdict, spent_ms: float) -> Answer:
    given = answer.receipt
    timings = dict(given.timings_ms)
    for stage in ("guard", "total"):
        timings[stage] = round(timings.get(stage, 0.0) + spent_ms, 3)
    report = given.guard
    if verdict.findings:
        report = replace(report or GuardReport(), findings=verdict.findings)
    return replace(answer, receipt=replace(given, timings_ms=timings, guard=report))


class GuardedSearches:
    """Is a `Searches`: what it finds is judged before it is evidence.

    Args:
        searches: Finds.
        guard: Judges.
    """

    def __init__(self, searches: Searches, guard: Guard) -> None:
        self._searches = searches
        self._guard = guard

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return what may be evidence of what was found; raises what the search raises."""
        return await self._judged(await self._searches.search(request))

    async def weigh(self, request: SearchRequest, keys: Set[int]) -> SearchResult:
        """Return the same of the chunks `keys`; raises what the search raises."""
        return await self._judged(await self._searches.weigh(request, keys))

    async def _judged(self, found: SearchResult) -> SearchResult:
        began = time.perf_counter()
        verdict = await self._guard.passages(found.hits)
        timings = {**found.timings_ms, "guard": (time.perf_counter() - began) * 1000}
        return replace(found, hits=verdict.hits, withheld=verdict.withheld, timings_ms=timings)
