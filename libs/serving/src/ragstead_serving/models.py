"""`/v1/models` and `/v1/rerank`: what a service has to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Body, Response

from ragstead.errors import NotFound
from ragstead.wire import ModelList, ModelView, RerankBody
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


def models_router(views: Sequence[ModelView]) -> APIRouter:
    """Return the routes `/v1/models` and `/v1/rerank`.

    Args:
        views: What `model` may name, in the order in which it is listed.
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

    @router.post("/v1/rerank", status_code=404, responses=errors(404))
    async def rerank(body: Annotated[RerankBody, Body(openapi_examples=_RERANK)]) -> Response:
        """Score documents against a query: 404 while no reranker is served."""
        raise NotFound("model", body.model, "no reranker is configured")

    return router
