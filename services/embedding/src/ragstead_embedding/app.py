"""The service's routes over an embedding model, and the process that serves them."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence

from fastapi import FastAPI

from ragstead.ports.reranker import Reranker
from ragstead.settings import Settings, resolve_secret
from ragstead_serving.app import create_service
from ragstead_serving.embedding_metrics import EmbeddingMetrics
from ragstead_serving.embeddings import (
    EMBEDDINGS_PATHS,
    Embeddings,
    ServedEmbedding,
    embedding_model_views,
    embeddings_router,
)
from ragstead_serving.host_rules import check_exposure
from ragstead_serving.metrics import HttpMetrics
from ragstead_serving.models import models_router, reranker_views
from ragstead_serving.options import service_options
from ragstead_serving.server import bind, serve

_DESCRIPTION = "Texts to vectors, over OpenAI's embeddings API."


def create_app(
    model: ServedEmbedding, settings: Settings, *, reranker: Reranker | None = None, api_keys: Sequence[str] = ()
) -> FastAPI:
    """Return the service's ASGI app; it needs no lifespan.

    Args:
        model: What embeds, open and warm.
        settings: `deployment` has the limits and the host rules.
        reranker: What scores documents; None for nothing.
        api_keys: Any of them opens the API; none where it is open.
    """
    deployment = settings.deployment
    options = service_options(deployment, api_keys)

    async def readiness() -> Mapping[str, tuple[bool, str]]:
        return {"model": (True, f"{model.pipeline.identity} on {model.device}")}

    metrics = HttpMetrics()
    embeddings = Embeddings(model, max_inputs=deployment.embedding.max_inputs)
    app = create_service(
        "Ragstead embeddings",
        _DESCRIPTION,
        importlib.metadata.version("ragstead"),
        options=options,
        readiness=readiness,
        metrics=metrics,
        short_ways=dict.fromkeys(EMBEDDINGS_PATHS, embeddings.short_way()),
    )
    app.include_router(embeddings_router(embeddings))
    app.include_router(models_router([*embedding_model_views(model), *reranker_views(reranker)], reranker))
    EmbeddingMetrics(metrics.registry, model)
    return app


async def run_embedding(
    settings: Settings, port: int | None = None, *, on_ready: Callable[[str], None] | None = None
) -> None:
    """Serve the embedding model until SIGINT or SIGTERM.

    The address is checked and bound before the model is opened, so a taken port costs no time; requests are answered
    once the model is warm.

    Args:
        settings: Both halves; the host is `deployment.host`.
        port: 0 for any free one; None for `deployment.embedding.port`.
        on_ready: Called with the URL when requests are answered.

    Raises:
        ConfigurationError: If the address can be reached from elsewhere and no API key is configured, if the port is
            taken, or if a key's reference leads nowhere.
        Unavailable: If the model can't be had.
    """
    from ragstead.bootstrap.embedding import serve_embedding  # noqa: PLC0415  (the model; the routes need none)

    deployment = settings.deployment
    api_keys = [resolve_secret(reference) for reference in deployment.api_keys]
    check_exposure(deployment.host, api_keys)
    listener = bind(deployment.host, deployment.embedding.port if port is None else port)
    with listener.socket:
        async with serve_embedding(settings) as opened:
            app = create_app(opened.embedding, settings, reranker=opened.reranker, api_keys=api_keys)
            await serve(app, listener, on_ready=on_ready)
