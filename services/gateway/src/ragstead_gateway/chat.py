"""`/v1/chat/completions` and the pipelines that it may name."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response
from prometheus_client import CollectorRegistry, Counter

from ragstead.errors import NotFound
from ragstead.model import Answer
from ragstead.tracing import response_id
from ragstead.wire import ChatBody, ChatView, ModelView
from ragstead_gateway.answers import Completion
from ragstead_gateway.asking import ask_request, traceparent_of
from ragstead_gateway.examples import CHAT, CHAT_ANSWER, STREAM
from ragstead_gateway.facade import Platform, ServedModel
from ragstead_serving.auth import caller_of
from ragstead_serving.disconnects import while_connected
from ragstead_serving.openapi import Responses, errors
from ragstead_serving.responses import JsonResponse, ServiceRoute
from ragstead_serving.sse import EventStream

_STREAMED: Responses = {
    200: {
        "description": "The answer, or the refusal; with `stream: true` as server-sent events.",
        "content": {
            "application/json": {"example": CHAT_ANSWER},
            "text/event-stream": {"schema": {"type": "string"}, "example": STREAM},
        },
    }
}


class AnswerCounter:
    """Counts answers by outcome, `answered` or the reason of the refusal, and by who wrote them and why."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._answers = Counter("ragstead_answers", "Answers given.", ["outcome"], registry=registry)
        self._routed = Counter(
            "ragstead_routed",
            "Answers by the model that wrote them, and why it did.",
            ["model", "route"],
            registry=registry,
        )
        self._kept = Counter(
            "ragstead_answer_cache", "Answers that were kept: hit, miss, or off.", ["outcome"], registry=registry
        )

    def count(self, answer: Answer) -> Answer:
        """Book the answer and return it."""
        self._answers.labels(answer.reason.value if answer.reason else "answered").inc()
        self._kept.labels(answer.receipt.cache).inc()
        if not answer.refused:
            self._routed.labels(answer.receipt.model, answer.receipt.route or "configured").inc()
        return answer


async def _counted(
    pieces: AsyncGenerator[str | Answer, None], counter: AnswerCounter
) -> AsyncGenerator[str | Answer, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield counter.count(piece) if isinstance(piece, Answer) else piece


def chat_router(platform: Platform, counter: AnswerCounter) -> APIRouter:
    """Return the route `/v1/chat/completions`.

    Args:
        platform: What answers.
        counter: Books answers.
    """
    router = APIRouter(route_class=ServiceRoute, tags=["chat"])
    models = {model.name: model for model in platform.models}
    max_chars = platform.settings.deployment.max_question_chars

    def find(name: str) -> ServedModel:
        if name not in models:
            raise NotFound("model", name, f"there are {', '.join([*sorted(models), *sorted(platform.bare_models)])}")
        return models[name]

    @router.post("/v1/chat/completions", response_model=ChatView, responses=errors(404, 409) | _STREAMED)
    async def create_chat_completion(
        request: Request, body: Annotated[ChatBody, Body(openapi_examples=CHAT)]
    ) -> Response:
        """Answer the last message from a collection, every claim with its evidence; or pass it on to a bare model.

        What names a bare model does not come here: see `BareModels`.
        """
        find(body.model)
        asked = ask_request(
            body, max_question_chars=max_chars, owner=caller_of(request), traceparent=traceparent_of(request)
        )
        completion = Completion(
            body.model, bool(body.stream_options and body.stream_options.include_usage), response_id(asked.trace)
        )
        if body.stream:
            return EventStream(completion.chunks(_counted(platform.answerer.stream(asked), counter)))
        answer = await while_connected(request.receive, platform.answerer.answer(asked))
        return JsonResponse(completion.whole(counter.count(answer)))

    return router


def pipeline_views(platform: Platform) -> list[ModelView]:
    """Return what `/v1/models` shows of the pipelines, and of the bare models."""
    created = int(time.time())
    return [
        ModelView(id=model.name, created=created, owned_by="ragstead", capabilities=dict(model.capabilities))
        for model in (*platform.models, *platform.bare_models.values())
    ]
