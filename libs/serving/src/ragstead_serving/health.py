"""Whether the process lives, whether it can do its work, and what it has done."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Response

from ragstead.wire import DependencyView, LiveView, ReadyView
from ragstead_serving.metrics import HttpMetrics
from ragstead_serving.openapi import described, errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

Readiness = Callable[[], Awaitable[Mapping[str, tuple[bool, str]]]]
"""Returns, for each dependency by name, whether it is ready and a word on it."""

ALWAYS_ANSWERED = frozenset({"/health/live", "/health/ready", "/metrics"})
"""Paths that answer however busy the service is."""


def health_router(readiness: Readiness, metrics: HttpMetrics) -> APIRouter:
    """Return the routes `/health/live`, `/health/ready` and `/metrics`.

    Health answers without an API key, for probes have none; metrics tell what the service is used for and ask for it.
    """
    router = APIRouter(route_class=ServiceRoute, tags=["operations"])

    @router.get("/health/live", response_model=LiveView, responses=errors(), summary="Is the process alive?")
    async def live() -> Response:
        return JsonResponse(LiveView())

    @router.get(
        "/health/ready",
        response_model=ReadyView,
        summary="Can it do its work?",
        responses=errors() | {503: {"model": ReadyView, "description": "A dependency is not ready."}},
    )
    async def ready() -> Response:
        found = {name: DependencyView(ready=ok, detail=detail) for name, (ok, detail) in (await readiness()).items()}
        is_ready = all(one.ready for one in found.values())
        headers = {} if is_ready else {"Retry-After": "5"}
        return JsonResponse(ReadyView(ready=is_ready, dependencies=found), 200 if is_ready else 503, headers)

    @router.get(
        "/metrics",
        response_class=Response,
        summary="Metrics in Prometheus's text format",
        responses=errors() | described("Metrics.", "text/plain"),
    )
    async def scrape() -> Response:
        return metrics.exposition()

    return router
