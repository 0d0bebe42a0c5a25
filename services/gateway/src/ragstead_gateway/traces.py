"""`/v1/traces` (ours): what came of a question, as its trace tells."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Response

from ragstead.errors import NotFound
from ragstead.wire import TracedAnswerView
from ragstead_gateway.facade import Platform
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

TraceId = Annotated[str, Path(pattern="^[0-9a-f]{32}$", description="`rag.trace_id` of an answer.")]

_NO_STORE = "nothing keeps traces here; `ragstead up --mlflow` starts an MLflow, deployment.tracing names a Langfuse"


def traces_router(platform: Platform) -> APIRouter:
    """Return the route `/v1/traces/{trace_id}`."""
    router = APIRouter(route_class=ServiceRoute, tags=["traces"])

    @router.get("/v1/traces/{trace_id}", response_model=TracedAnswerView, responses=errors(404))
    async def retrieve_trace(trace_id: TraceId) -> Response:
        """Show a question, its answer and the passages that it was made from; seconds after the answer."""
        if platform.answer_traces is None:
            raise NotFound("trace", trace_id, _NO_STORE)
        return JsonResponse(TracedAnswerView.model_validate(asdict(await platform.answer_traces.find(trace_id))))

    return router
