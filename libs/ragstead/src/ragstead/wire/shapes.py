"""What every body has in common: unknown fields are refused, and values are not guessed at."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ragstead.model import Strategy

DocumentId = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""The caller's own id of a document: anything that prints."""

AttributeMap = dict[Annotated[str, Field(min_length=1, max_length=64)], str | bool | int | float]
StrategyName = Annotated[Strategy, Field(strict=False)]


class Body(BaseModel):
    """Is a request body: an unknown field is an error, not a surprise, and `"10"` is not 10."""

    model_config = ConfigDict(extra="forbid", strict=True)


class View(BaseModel):
    """Is a response body."""

    model_config = ConfigDict(extra="forbid")


def left_out_when_none() -> Any:
    """Return a field whose None is not written at all."""
    return Field(default=None, exclude_if=lambda value: value is None)


class ErrorDetail(View):
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(View):
    """The body of every response that is not a success."""

    error: ErrorDetail


class EmbeddingModelView(View):
    """What an embedding model's vectors are; two models of one `identity` give the same."""

    identity: str
    dimensions: int
    max_tokens: int


class ModelView(View):
    """A pipeline or a model; `capabilities` and `embedding` are ours."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    capabilities: dict[str, bool]
    embedding: EmbeddingModelView | None = left_out_when_none()


class ModelList(View):
    """`GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[ModelView]


class DependencyView(View):
    """One dependency of the process."""

    ready: bool
    detail: str


class LiveView(View):
    """`GET /health/live`: the process answers."""

    live: Literal[True] = True


class ReadyView(View):
    """`GET /health/ready`: 200 where every dependency is ready, else 503."""

    ready: bool
    dependencies: dict[str, DependencyView]
