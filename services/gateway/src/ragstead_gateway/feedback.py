"""`/v1/feedback` (ours)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Response

from ragstead.errors import Conflict, NotFound, Overloaded
from ragstead.ports.tracer import Score
from ragstead.tracing import trace_of_response
from ragstead.wire import FeedbackBody, FeedbackView
from ragstead_gateway.examples import FEEDBACK
from ragstead_gateway.facade import Platform
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

MEASURE = "feedback"


def feedback_router(platform: Platform) -> APIRouter:
    """Return the route `/v1/feedback`."""
    router = APIRouter(route_class=ServiceRoute, tags=["chat"])

    @router.post("/v1/feedback", response_model=FeedbackView, responses=errors(404, 409, 429))
    async def give_feedback(body: Annotated[FeedbackBody, Body(openapi_examples=FEEDBACK)]) -> Response:
        """Say what an answer was worth: a score on its trace, where reviewers find it.

        The id says where the trace is, and nothing is looked up: one that was never given out is refused by its form
        alone.
        """
        found = trace_of_response(body.response_id)
        if found is None:
            raise NotFound("response", body.response_id, "give the `id` of a chat completion, or its `rag.trace_id`")
        backends = list(platform.tracer.states())
        if not backends:
            raise Conflict("nothing keeps traces here, and feedback with them; set deployment.tracing")
        trace_id, span_id = found
        if not platform.tracer.samples(trace_id):
            raise NotFound("response", body.response_id, "its trace was not among those that are kept")
        if not platform.tracer.score(Score(trace_id, MEASURE, body.score, span_id, body.comment or "", by_person=True)):
            raise Overloaded("too many traces wait for their backend; give the feedback again later")
        return JsonResponse(
            FeedbackView(
                response_id=body.response_id,
                trace_id=trace_id,
                score=body.score,
                comment=body.comment,
                kept_by=backends,
            )
        )

    return router
