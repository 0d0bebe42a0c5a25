"""`/v1/search` (ours)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from ragstead.guardrails.injection import shipped_detector
from ragstead.model import Hit, Reason
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.tracing import read_traceparent
from ragstead.wire import SearchBody, SearchView
from ragstead_gateway.asking import check_question, read_filter, traceparent_of
from ragstead_gateway.examples import SEARCH
from ragstead_gateway.facade import Platform
from ragstead_serving.disconnects import while_connected
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute


def search_router(platform: Platform) -> APIRouter:
    """Return the route `/v1/search`."""
    router = APIRouter(route_class=ServiceRoute, tags=["search"])
    max_chars = platform.settings.deployment.max_question_chars

    @router.post("/v1/search", response_model=SearchView, responses=errors(404))
    async def search(request: Request, body: Annotated[SearchBody, Body(openapi_examples=SEARCH)]) -> Response:
        """Find the chunks of a collection that are relevant to a query, best first."""
        check_question(body.query, max_chars, "query")
        condition, trace = read_filter(body.filter, "filter"), read_traceparent(traceparent_of(request))
        asked = SearchRequest(body.query, body.collection, body.k, body.strategy, condition, trace)
        found = await while_connected(request.receive, platform.retriever.search(asked))
        view: dict[str, object] = {
            "hits": [_view(hit, debug=body.debug) for hit in found.hits],
            "timings_ms": dict(found.timings_ms),
            "collection_version": found.collection.version,
        }
        return JsonResponse(view | (refusal_view(found) if found.refused else {}))

    return router


def refusal_view(found: SearchResult) -> dict[str, object]:
    """Return what a search says besides whose query was refused."""
    return {"refused": True, "reason": Reason.GUARD_INPUT.value, "guard": {"findings": list(found.refused)}}


def _view(hit: Hit, *, debug: bool) -> dict[str, object]:
    """Return a `HitView` as JSON values: a test holds it to the shape, as validating it takes time."""
    stored, chunk = hit.stored, hit.stored.chunk
    view: dict[str, object] = {
        "document_id": stored.document_id,
        "file_id": stored.file_id,
        "chunk_id": stored.chunk_id,
        "filename": stored.filename,
        "page": chunk.page,
        "heading_path": list(chunk.heading_path),
        "text": chunk.text,
        "start": chunk.start,
        "end": chunk.end,
        "score": hit.score,
    }
    if chunk.injection is not None and chunk.injection >= shipped_detector().threshold:
        view["injection"] = chunk.injection
    return view | {"debug": {"cosine": hit.cosine, "bm25": hit.bm25, "fused": hit.fused}} if debug else view
