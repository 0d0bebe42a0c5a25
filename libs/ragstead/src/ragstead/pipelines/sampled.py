"""Answers that are also offered to whoever scores a sample of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing

from ragstead.model import Answer, Citation
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.sample_scoring import SampleScoring
from ragstead.ports.evaluated import AnswerRecord, CitedQuote
from ragstead.ports.judge import Judge, JudgedAnswer, Judgement
from ragstead.tracing import current


class SampledAnswers(Answerer):
    """Is an `Answerer`: what it answers is offered to a sample when it has ended.

    Not offered is what has no trace, as its scores would have no place; turns of conversations that the server keeps,
    as whoever deletes one of those can't delete its scores; refusals, of which the measures say nothing; and answers
    that were kept, as they were offered when they were new.

    Args:
        answerer: Answers.
        scoring: Takes the sample.
    """

    def __init__(self, answerer: Answerer, scoring: SampleScoring) -> None:
        self._answerer = answerer
        self._scoring = scoring

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield what the answerer yields, and raise what it raises."""
        judged: JudgedAnswer | None = None
        try:
            async with aclosing(self._answerer.stream(request)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Answer):
                        judged = self._judged(request, piece)
                    yield piece
        finally:  # behind the answer's end, so that its trace goes out before its scores
            if judged is not None:
                self._scoring.offer(judged)

    def _judged(self, request: AskRequest, answer: Answer) -> JudgedAnswer | None:
        span, trace_id = current(), request.trace.trace_id
        private = request.private or request.conversation_id is not None
        if span is None or private or answer.refused or answer.receipt.cache == "hit":
            return None
        if not self._scoring.takes(trace_id):
            return None
        contexts = span.trace.passages or tuple(dict.fromkeys(one.stored.chunk.text for one in answer.citations))
        question = answer.receipt.question or request.question
        record = record_of(answer)
        return JudgedAnswer(question, answer.content, contexts, "", trace_id, record, request.collection)


def record_of(answer: Answer) -> AnswerRecord:
    """Return an answer as measures take it, its quotes held against the passages that they name."""
    receipt = answer.receipt
    return AnswerRecord(
        answer.content,
        answer.refused,
        answer.p_supported,
        tuple(_quote(one) for one in answer.citations),
        receipt.dropped_citations,
        receipt.timings_ms.get("total", 0.0),
        receipt.cost_usd,
        receipt.release,
        receipt.model,
        receipt.trace_id,
    )


def _quote(one: Citation) -> CitedQuote:
    chunk, stored = one.stored.chunk, one.stored
    inside = one.quote_start >= chunk.start
    found = chunk.text[one.quote_start - chunk.start : one.quote_end - chunk.start] if inside else ""
    return CitedQuote(one.start, one.end, stored.document_id, stored.filename, one.quote, found)


class JudgeElsewhere:
    """Is a `Judge` that is asked about those answers alone whose texts may leave this house.

    Args:
        judge: Judges elsewhere.
        may_leave: Whether the texts of a collection, by name or id, may be sent to a hosted API.
    """

    def __init__(self, judge: Judge, may_leave: Callable[[str], Awaitable[bool]]) -> None:
        self._judge = judge
        self._may_leave = may_leave

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        """Return the judge's opinion, or none; raises what the judge raises, and `NotFound` without the collection."""
        return await self._judge.judge(answer) if await self._may_leave(answer.collection) else ()
