"""Search and reranking."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ragstead.wire.shapes import Body, StrategyName, View, left_out_when_none


class SearchBody(Body):
    """`POST /v1/search` (ours)."""

    query: str = Field(min_length=1)
    collection: str = "default"
    k: int = Field(default=10, ge=1, le=1000)
    strategy: StrategyName | None = None
    filter: dict[str, Any] | None = None
    debug: bool = False


class HitDebug(View):
    """Raw scores, given when asked for."""

    cosine: float
    bm25: float
    fused: float


class HitView(View):
    """A chunk found; offsets count in the document's extracted text."""

    document_id: str
    file_id: str
    chunk_id: str
    filename: str
    page: int | None
    heading_path: list[str] = Field(default_factory=list)
    text: str
    start: int
    end: int
    score: float
    injection: float | None = left_out_when_none()
    debug: HitDebug | None = left_out_when_none()


class SearchGuardView(View):
    """What the guard found in a query that it refused."""

    findings: list[str]


class SearchView(View):
    """Hits, best first, and where the time went; `refused`, and why, where the guard stopped the query."""

    hits: list[HitView]
    timings_ms: dict[str, float]
    collection_version: int
    refused: bool | None = left_out_when_none()
    reason: Literal["guard_input"] | None = left_out_when_none()
    guard: SearchGuardView | None = left_out_when_none()


class RerankBody(Body):
    """`POST /v1/rerank`, as Cohere has it."""

    model: str = Field(min_length=1)
    query: str = Field(min_length=1)
    documents: list[str] = Field(min_length=1, max_length=1000)
    top_n: int | None = Field(default=None, ge=1)


class RerankResult(View):
    """A document's place: `index` counts in the request, `relevance_score` is a probability."""

    index: int
    relevance_score: float


class RerankView(View):
    """The documents, best first."""

    id: str
    model: str
    results: list[RerankResult]
