"""`/v1/models` and `/v1/rerank`: what a service has to choose from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Request, Response

from ragstead.errors import NotFound
from ragstead.ids import long_random_id
from ragstead.ports.reranker import Reranker
from ragstead.wire import ModelList, ModelView, RerankBody, RerankResult, RerankView
from ragstead_serving.disconnects import while_connected
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

_RERANK: Any = {
    "example": {
        "summary": "Cohere's shape",
        "value": {
            "model": "a-reranker",
            "query": "parental leave",
            "documents": ["Parents take 20 days.", "Lunch is free."],
        },
    }
}


def reranker_views(reranker: Reranker | None) -> list[ModelView]:
    """Return what `/v1/models` shows of the reranker: nothing, or itself."""
    if reranker is None:
        return []
    capabilities = {"rerank": True, "embeddings": False, "chat": False}
    return [ModelView(id=reranker.name, created=int(time.time()), owned_by="ragstead", capabilities=capabilities)]


def models_router(views: Sequence[ModelView], reranker: Reranker | None = None) -> APIRouter:
    """Return the routes `/v1/models` and `/v1/rerank`.

    Args:
        views: What `model` may name, in the order in which it is listed.
        reranker: What scores documents; None: `/v1/rerank` is a 404 for every model.
    """
    router = APIRouter(route_class=ServiceRoute, tags=["models"])
    by_name = {view.id: view for view in views}

    @router.get("/v1/models", response_model=ModelList, responses=errors())
    async def list_models() -> Response:
        """List what `model` may name, and what each can do."""
        return JsonResponse(ModelList(data=list(by_name.values())))

    @router.get("/v1/models/{model}", response_model=ModelView, responses=errors(404))
    async def retrieve_model(model: str) -> Response:
        """Show one of them."""
        if model not in by_name:
            raise NotFound("model", model, f"there are {', '.join(sorted(by_name))}")
        return JsonResponse(by_name[model])

    @router.post("/v1/rerank", response_model=RerankView, responses=errors(404, 429))
    async def rerank(request: Request, body: Annotated[RerankBody, Body(openapi_examples=_RERANK)]) -> Response:
        """Score documents against a query, best first."""
        if reranker is None:
            raise NotFound("model", body.model, "no reranker is configured")
        if body.model != reranker.name:
            raise NotFound("model", body.model, f"there is {reranker.name}")
        scores = await while_connected(request.receive, reranker.rerank(body.query, body.documents))
        order = sorted(range(len(scores)), key=lambda i: -scores[i])[: body.top_n]
        results = [RerankResult(index=i, relevance_score=scores[i]) for i in order]
        return JsonResponse(RerankView(id=f"rerank-{long_random_id()}", model=reranker.name, results=results))

    return router
