"""From an answer to the body of a chat completion, whole or in pieces."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass, field

from ragstead.model import Answer, Citation, GuardReport
from ragstead.ports.tracer import TraceContext
from ragstead.tracing import response_id
from ragstead.wire import (
    Annotation,
    AnswerMessage,
    ChatChunkView,
    ChatView,
    Choice,
    ChunkChoice,
    CitationView,
    Delta,
    GuardView,
    RagView,
    StepView,
    Usage,
)


@dataclass(frozen=True, slots=True)
class Completion:
    """What every piece of one completion bears.

    Attributes:
        model: As the request named it.
        include_usage: Whether the stream counts tokens.
        id: `chatcmpl-…`, unique; its trace can be told from it.
        created: Unix seconds.
    """

    model: str
    include_usage: bool = False
    id: str = field(default_factory=lambda: response_id(TraceContext()))
    created: int = field(default_factory=lambda: int(time.time()))

    def whole(self, answer: Answer) -> ChatView:
        """Return the answer in one piece."""
        message = AnswerMessage(content=answer.content, annotations=_annotations(answer))
        return ChatView(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[Choice(message=message, finish_reason=answer.finish_reason)],
            usage=_usage(answer),
            citations=[_citation(one) for one in answer.citations],
            rag=_rag(answer),
        )

    async def chunks(self, pieces: AsyncGenerator[str | Answer, None]) -> AsyncGenerator[dict[str, object], None]:
        """Yield the role, each piece of text, and last everything that an unstreamed answer has besides.

        Nothing comes before the first piece: an error until then is a response of its own, not a broken stream.
        Closing this closes `pieces`.
        """
        begun = False
        async with aclosing(pieces):
            async for piece in pieces:
                if not begun:
                    yield self._chunk(Delta(role="assistant", content=""))
                    begun = True
                if isinstance(piece, Answer):
                    yield self._last(piece)
                elif piece:
                    yield self._chunk(Delta(content=piece))

    def _chunk(self, delta: Delta) -> dict[str, object]:
        view = ChatChunkView(id=self.id, created=self.created, model=self.model, choices=[ChunkChoice(delta=delta)])
        return view.model_dump() | ({"usage": None} if self.include_usage else {})

    def _last(self, answer: Answer) -> dict[str, object]:
        delta = Delta(annotations=_annotations(answer))
        return ChatChunkView(
            id=self.id,
            created=self.created,
            model=self.model,
            choices=[ChunkChoice(delta=delta, finish_reason=answer.finish_reason)],
            usage=_usage(answer) if self.include_usage else None,
            citations=[_citation(one) for one in answer.citations],
            rag=_rag(answer),
        ).model_dump()


def _annotations(answer: Answer) -> list[Annotation]:
    return [
        Annotation(file_id=one.stored.file_id, filename=one.stored.filename, index=one.mark) for one in answer.citations
    ]


def _usage(answer: Answer) -> Usage:
    prompt, completion = answer.receipt.prompt_tokens, answer.receipt.completion_tokens
    return Usage(prompt_tokens=prompt, completion_tokens=completion, total_tokens=prompt + completion)


def _citation(citation: Citation) -> CitationView:
    return CitationView(
        n=citation.n,
        start=citation.start,
        end=citation.end,
        document_id=citation.stored.document_id,
        file_id=citation.stored.file_id,
        chunk_id=citation.stored.chunk_id,
        filename=citation.stored.filename,
        page=citation.stored.chunk.page_at(citation.quote_start),
        quote=citation.quote,
        quote_start=citation.quote_start,
        quote_end=citation.quote_end,
        score=citation.score,
        verdict=citation.verdict.value,
    )


def _rag(answer: Answer) -> RagView:
    receipt = answer.receipt
    return RagView(
        refused=answer.refused,
        reason=answer.reason.value if answer.reason else None,
        p_supported=answer.p_supported,
        release=receipt.release,
        collection_version=receipt.collection_version,
        trace_id=receipt.trace_id,
        cache=receipt.cache,
        model=receipt.model,
        route=receipt.route or None,
        cost_usd=receipt.cost_usd,
        dropped_citations=receipt.dropped_citations,
        question=receipt.question or None,
        condensed_by=receipt.condensed_by or None,
        timings_ms=dict(receipt.timings_ms),
        steps=[StepView(**asdict(step)) for step in receipt.steps] or None,
        guard=_guard(receipt.guard),
    )


def _guard(report: GuardReport | None) -> GuardView | None:
    if report is None:
        return None
    return GuardView(
        findings=list(report.findings),
        withheld_passages=report.withheld,
        dropped_sentences=report.dropped,
        redacted=report.redacted,
        replaced=report.replaced,
    )
