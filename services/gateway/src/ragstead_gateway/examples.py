"""The examples of the OpenAPI document: each is a body that works once a collection `handbook` is there."""

from __future__ import annotations

from typing import Any

from fastapi.openapi.models import Example

Examples = dict[str, Example]


def _only(value: object, summary: str) -> Examples:
    return {"example": Example(summary=summary, value=value)}


_QUESTION = "How many days of parental leave do I get?"
_FILTER = {"type": "eq", "key": "department", "value": "people"}

CHAT: Examples = {
    "question": Example(
        summary="A question",
        value={
            "model": "ragstead",
            "messages": [{"role": "user", "content": _QUESTION}],
            "rag": {"collection": "handbook"},
        },
    ),
    "agent": Example(
        summary="A question that asks several things",
        value={
            "model": "ragstead-agent",
            "messages": [{"role": "user", "content": f"{_QUESTION} And who approves it?"}],
            "rag": {"collection": "handbook"},
        },
    ),
    "streamed": Example(
        summary="Streamed, from some of the documents",
        value={
            "model": "ragstead",
            "messages": [
                {"role": "system", "content": "Answer briefly."},
                {"role": "user", "content": [{"type": "text", "text": _QUESTION}]},
            ],
            "stream": True,
            "stream_options": {"include_usage": True},
            "rag": {"collection": "handbook", "k": 8, "strategy": "hybrid", "filter": _FILTER},
        },
    ),
}
CHAT_ANSWER: dict[str, Any] = {
    "id": "chatcmpl-9f2c",
    "object": "chat.completion",
    "created": 1760000000,
    "model": "ragstead",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Parents take 20 days [1].",
                "refusal": None,
                "annotations": [{"type": "file_citation", "file_id": "file-7c", "filename": "leave.md", "index": 21}],
            },
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
    "citations": [
        {
            "n": 1,
            "start": 0,
            "end": 20,
            "document_id": "leave.md",
            "file_id": "file-7c",
            "chunk_id": "leave.md:3:9",
            "filename": "leave.md",
            "page": None,
            "quote": "Parents take 20 days",
            "quote_start": 1810,
            "quote_end": 1830,
            "score": 0.93,
            "verdict": "supported",
        }
    ],
    "rag": {
        "refused": False,
        "reason": None,
        "p_supported": 0.91,
        "release": "r-3f2a",
        "collection_version": 12,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "cache": "miss",
        "model": "extractive",
        "cost_usd": 0.0,
        "dropped_citations": 0,
        "timings_ms": {"embed": 1.2, "total": 26.0},
    },
}
STREAM = (
    'data: {"id":"chatcmpl-9f2c","object":"chat.completion.chunk","created":1760000000,"model":"ragstead",'
    '"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"logprobs":null}]}\n\n'
    "data: [DONE]\n\n"
)
SEARCH: Examples = {
    "query": Example(summary="A query", value={"query": "parental leave", "collection": "handbook"}),
    "all": Example(
        summary="With everything",
        value={
            "query": "parental leave",
            "collection": "handbook",
            "k": 5,
            "strategy": "prefilter",
            "filter": {"type": "and", "filters": [_FILTER, {"type": "gte", "key": "year", "value": 2024}]},
            "debug": True,
        },
    ),
}
TEXT_DOCUMENTS: Examples = _only(
    {
        "documents": [
            {
                "document_id": "leave-2024",
                "title": "Leave",
                "text": "Parents take 20 days.",
                "attributes": {"department": "people", "year": 2024},
            }
        ]
    },
    "A text",
)
UPLOAD: dict[str, Any] = {
    "required": False,
    "description": "The file as it is; without a body, an empty document.",
    "content": {
        "application/octet-stream": {
            "schema": {"type": "string", "format": "binary"},
            "example": "# Leave\n\nParents take 20 days.\n",
        }
    },
}
STORE: Examples = _only({"name": "handbook", "metadata": {"owner": "people"}}, "A collection")
STORE_CHANGE: Examples = _only({"metadata": {"owner": "legal"}}, "Other metadata")
STORE_SEARCH: Examples = _only(
    {"query": "parental leave", "max_num_results": 5, "ranking_options": {"ranker": "auto", "score_threshold": 0.2}},
    "A query",
)
STORE_FILE: Examples = _only({"file_id": "file-7c", "attributes": {"year": 2024}}, "An upload")
STORE_FILE_CHANGE: Examples = _only({"attributes": {"year": 2025}}, "Other attributes")
FILE_BATCH: Examples = _only({"file_ids": ["file-7c", "file-8d"]}, "Two uploads")
CONVERSATION: Examples = _only({"title": "Leave"}, "A conversation")
CONVERSATION_CHANGE: Examples = _only({"title": "Parental leave"}, "Another title")
FEEDBACK: Examples = _only(
    {
        "response_id": "chatcmpl-0af7651916cd43dd8448eb211c80319cb7ad6b7169203331",
        "score": 1,
        "comment": "Just what I looked for.",
    },
    "A judgement",
)
