"""`POST /v1/embeddings`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from ragstead.wire.shapes import Body, View

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_IDS: dict[str, Any] = {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 0}}
EmbeddingInput = Annotated[
    Any,
    WithJsonSchema(
        {
            "anyOf": [
                _TEXT,
                {"type": "array", "minItems": 1, "items": _TEXT},
                _IDS,
                {"type": "array", "minItems": 1, "items": _IDS},
            ]
        }
    ),
]
"""A text, texts, a row of token ids, or rows; read by the service, whose errors name the index."""


class EmbeddingsBody(Body):
    """`POST /v1/embeddings`, as OpenAI has it; `truncate` and `input_type` are ours."""

    model: str = Field(min_length=1)
    input: EmbeddingInput
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)
    user: str | None = None
    truncate: bool = False
    input_type: Literal["query", "passage"] = "passage"


class EmbeddingView(View):
    """One vector: numbers, or the base64 of their little-endian float32 bytes."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str


class EmbeddingUsage(View):
    """What was read, counted by the model's own tokenizer, its special tokens included."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingsView(View):
    """The vectors of a request, in the order of its inputs; `model` is the one that ran."""

    object: Literal["list"] = "list"
    data: list[EmbeddingView]
    model: str
    usage: EmbeddingUsage
