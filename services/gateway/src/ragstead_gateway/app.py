"""The gateway: routes over a platform."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import re
from collections.abc import Sequence

from fastapi import FastAPI

from ragstead_gateway.bare_models import PATH as CHAT_PATH
from ragstead_gateway.bare_models import BareModels
from ragstead_gateway.batches import batches_router
from ragstead_gateway.chat import AnswerCounter, chat_router, pipeline_views
from ragstead_gateway.conversations import conversations_router
from ragstead_gateway.documents import documents_router
from ragstead_gateway.facade import Platform
from ragstead_gateway.feedback import feedback_router
from ragstead_gateway.files import files_router
from ragstead_gateway.page import page_router
from ragstead_gateway.relaying import RelayCounter
from ragstead_gateway.search import search_router
from ragstead_gateway.store_files import store_files_router
from ragstead_gateway.stores import stores_router
from ragstead_gateway.traces import traces_router
from ragstead_serving.app import create_service
from ragstead_serving.cost_metrics import CostMetrics
from ragstead_serving.embedding_metrics import EmbeddingMetrics
from ragstead_serving.embeddings import EMBEDDINGS_PATHS, Embeddings, embedding_model_views, embeddings_router
from ragstead_serving.live_scoring_metrics import LiveScoringMetrics
from ragstead_serving.metrics import HttpMetrics
from ragstead_serving.models import models_router, reranker_views
from ragstead_serving.options import service_options
from ragstead_serving.short_ways import ShortWay
from ragstead_serving.tracing_metrics import TracingMetrics

_MULTIPART_BYTES = 64 * 1024
"""Room for what a multipart body has besides the file."""
_UPLOADS = re.compile(r"POST /v1/files|PUT /v1/vector_stores/[^/]+/documents/.+", re.DOTALL)
_DESCRIPTION = "Documents in, answers with checked evidence out, over an OpenAI-compatible API."


def create_app(platform: Platform, *, api_keys: Sequence[str] = ()) -> FastAPI:
    """Return the gateway's ASGI app; it needs no lifespan, so httpx's `ASGITransport` can drive it in process.

    Args:
        platform: What the routes call; `platform.settings.deployment` has the limits and the host rules.
        api_keys: Any of them opens the API; none where it is open, as it is in process. The page at `/` and the health
            paths need none.
    """
    deployment = platform.settings.deployment
    options = dataclasses.replace(
        service_options(deployment, api_keys),
        open_paths=frozenset({"/", "/health/live", "/health/ready"}),
        max_upload_bytes=deployment.max_upload_bytes + _MULTIPART_BYTES,
        is_upload=is_upload,
    )
    metrics = HttpMetrics()
    version = importlib.metadata.version("ragstead")
    embeddings = Embeddings(platform.embedding, max_inputs=deployment.embedding.max_inputs)
    short_ways: dict[str, ShortWay] = dict.fromkeys(EMBEDDINGS_PATHS, embeddings.short_way())
    if platform.bare_models:
        short_ways[CHAT_PATH] = ShortWay(BareModels(platform.bare_models, RelayCounter(metrics.registry)))
    app = create_service(
        "Ragstead",
        _DESCRIPTION,
        version,
        options=options,
        readiness=platform.readiness,
        metrics=metrics,
        short_ways=short_ways,
    )
    app.include_router(chat_router(platform, AnswerCounter(metrics.registry)))
    for router in (search_router, files_router, stores_router, store_files_router, batches_router, documents_router):
        app.include_router(router(platform))
    app.include_router(conversations_router(platform))
    app.include_router(feedback_router(platform))
    app.include_router(traces_router(platform))
    app.include_router(embeddings_router(embeddings))
    EmbeddingMetrics(metrics.registry, platform.embedding)
    TracingMetrics(metrics.registry, platform.tracer)
    CostMetrics(metrics.registry, platform.costs)
    if platform.live_scoring is not None:
        LiveScoringMetrics(metrics.registry, platform.live_scoring)
    views = [
        *pipeline_views(platform),
        *embedding_model_views(platform.embedding),
        *reranker_views(platform.reranker),
    ]
    app.include_router(models_router(views, platform.reranker))
    app.include_router(page_router())
    return app


def is_upload(method: str, path: str) -> bool:
    """True for requests whose body is a file."""
    return _UPLOADS.fullmatch(f"{method} {path}") is not None
