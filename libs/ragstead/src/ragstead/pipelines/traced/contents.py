"""What stands in a trace of our values, as JSON; made when the trace is written, not when the answer is."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.filters import filter_document
from ragstead.model import Answer, Hit
from ragstead.pipelines.asking import AskRequest
from ragstead.ports.generator import GenerationRequest, Message
from ragstead.ports.tracer import Json


def messages_content(messages: Sequence[Message]) -> Json:
    """Return a conversation as chat models take it."""
    return [{"role": one.role, "content": one.content} for one in messages]


def hits_content(hits: Sequence[Hit]) -> Json:
    """Return passages as trace viewers show retrieved documents."""
    return [
        {
            "id": hit.stored.chunk_id,
            "page_content": hit.stored.chunk.text,
            "metadata": {
                "document_id": hit.stored.document_id,
                "filename": hit.stored.filename,
                "page": hit.stored.chunk.page,
                "score": round(hit.score, 4),
                "cosine": round(hit.cosine, 4),
                "bm25": round(hit.bm25, 4),
            },
        }
        for hit in hits
    ]


def asked_content(request: AskRequest) -> Json:
    """Return the question, and under `asked` what a caller wished beside it, as the API takes it."""
    asked: dict[str, Json] = {
        "k": request.k,
        "strategy": request.strategy.value if request.strategy is not None else None,
        "filter": filter_document(request.filter) if request.filter is not None else None,
        "model": "ragstead-agent" if request.agent else None,
    }
    wished = {name: value for name, value in asked.items() if value is not None}
    question = request.messages[-1].content if request.messages else request.question
    return {"question": question, "asked": wished} if wished else {"question": question}


def answer_content(answer: Answer) -> Json:
    """Return an answer's words and its citations."""
    citations = [
        {
            "n": one.n,
            "document_id": one.stored.document_id,
            "chunk_id": one.stored.chunk_id,
            "filename": one.stored.filename,
            "quote": one.quote,
            "verdict": one.verdict.value,
            "score": round(one.score, 4),
        }
        for one in answer.citations
    ]
    return {"answer": answer.content, "citations": citations}


def generation_content(request: GenerationRequest) -> Json:
    """Return what an answer is written from; the passages themselves stand where they were found."""
    return {
        "question": request.question,
        "chunk_ids": {"id": [hit.stored.chunk_id for hit in request.passages]},
        "messages": messages_content(request.messages),
    }
