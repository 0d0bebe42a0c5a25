"""One trace for each answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial

from ragstead.model import Answer
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.traced.contents import answer_content, asked_content
from ragstead.ports.tracer import Kind, Span, Tracer
from ragstead.tracing import begin_trace, followed


class TracedAnswerer(Answerer):
    """Is an `Answerer`: begins a trace with each question and hands it over when its answer ends, however that is.

    Args:
        answerer: Answers.
        tracer: Takes the traces.
    """

    def __init__(self, answerer: Answerer, tracer: Tracer) -> None:
        self._answerer = answerer
        self._tracer = tracer

    def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield what the answerer yields, and raise what it raises."""
        pieces = self._answerer.stream(request)
        if not self._tracer.samples(request.trace.trace_id):
            return pieces
        kind = Kind.AGENT if request.agent else Kind.CHAIN
        root = begin_trace(request.trace, "answer", kind, request.conversation_id or "")
        root.input = partial(asked_content, request)
        root.facts["collection"] = request.collection
        root.trace.private = request.conversation_id is not None or request.private
        return followed(pieces, root, partial(_heed, root), self._tracer.record)


def _heed(root: Span, piece: str | Answer) -> bool:
    if not isinstance(piece, Answer):
        root.first_token_ns = root.first_token_ns or root.now()
        return False
    receipt = piece.receipt
    root.output = partial(answer_content, piece)
    root.trace.release = receipt.release
    root.trace.scores |= {"p_supported": piece.p_supported, "refused": piece.refused}
    if root.trace.grounded:
        root.trace.scores["groundedness"] = sum(root.trace.grounded) / len(root.trace.grounded)
    root.facts |= {
        "collection_version": receipt.collection_version,
        "refused": piece.refused,
        "reason": piece.reason.value if piece.reason else "",
        "p_supported": piece.p_supported,
        "citations": len(piece.citations),
        "dropped_citations": receipt.dropped_citations,
        "cache": receipt.cache,
        "answered_by": receipt.model,
        "route": receipt.route,
        "finish_reason": piece.finish_reason,
    }
    if receipt.cost_usd is not None:
        root.facts["cost_usd"] = receipt.cost_usd
    return True
