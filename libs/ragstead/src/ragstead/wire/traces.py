"""`/v1/traces` (ours): answers that were traced, read back."""

from __future__ import annotations

from typing import Any

from ragstead.wire.shapes import View


class TracedPassageView(View):
    """A passage that an answer was made from, its text as it was captured."""

    document_id: str
    chunk_id: str
    filename: str
    text: str
    score: float


class TracedQuoteView(View):
    """What an answer cited."""

    document_id: str
    filename: str
    quote: str


class TracedAnswerView(View):
    """`GET /v1/traces/{trace_id}`: a question and what came of it; `asked` has what the request said under `rag`."""

    trace_id: str
    question: str
    collection: str
    collection_version: int
    release: str
    model: str
    answer: str
    refused: bool
    reason: str | None
    p_supported: float
    asked: dict[str, Any]
    quotes: list[TracedQuoteView]
    passages: list[TracedPassageView]
