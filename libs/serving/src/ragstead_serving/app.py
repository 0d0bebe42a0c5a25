"""The app factory that every service starts from."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from ragstead_serving.auth import BearerAuth
from ragstead_serving.body_limit import BodyLimit
from ragstead_serving.errors import install_error_table
from ragstead_serving.health import ALWAYS_ANSWERED, Readiness, health_router
from ragstead_serving.host_rules import HostRules
from ragstead_serving.metrics import HttpMetrics, Measured
from ragstead_serving.openapi import install_openapi
from ragstead_serving.options import ServiceOptions
from ragstead_serving.overload import InFlightBound
from ragstead_serving.request_ids import CrashBarrier, RequestIds
from ragstead_serving.short_ways import ShortWay, ShortWays


def create_service(
    title: str,
    description: str,
    version: str,
    *,
    options: ServiceOptions,
    readiness: Readiness,
    metrics: HttpMetrics | None = None,
    short_ways: Mapping[str, ShortWay] | None = None,
) -> FastAPI:
    """Return an app with health, metrics and OpenAPI, to which the service adds its routes.

    A request passes, from the outside in: measuring, naming, the crash barrier, host rules, CORS where origins are
    allowed, authentication, the in-flight bound, the body limit, the short ways, the error table. Nothing depends on a
    lifespan, so the app works in process (httpx's `ASGITransport`) as it does behind a server.

    Args:
        title: The service's name in OpenAPI.
        description: What it does, in OpenAPI.
        version: The running version.
        options: Its limits and doors.
        readiness: Asked by `/health/ready`.
        metrics: Where requests are booked; None for a new one.
        short_ways: Past the routes, by path; None for none.
    """
    metrics = metrics or HttpMetrics()
    app = FastAPI(
        title=title,
        description=description,
        version=version,
        docs_url=None,  # both pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    install_error_table(app)
    install_openapi(app, with_keys=bool(options.api_keys), open_paths=options.open_paths)
    app.include_router(health_router(readiness, metrics))
    # what is added last is outermost
    if short_ways:
        app.add_middleware(ShortWays, ways=short_ways)
    app.add_middleware(BodyLimit, options=options)
    app.add_middleware(InFlightBound, limit=options.max_in_flight, exempt=ALWAYS_ANSWERED)
    app.add_middleware(BearerAuth, keys=options.api_keys, open_paths=options.open_paths)
    if options.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(options.allowed_origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type"],
            expose_headers=["x-request-id", "Retry-After"],
        )
    app.add_middleware(HostRules, hosts=options.allowed_hosts, origins=options.allowed_origins)
    app.add_middleware(CrashBarrier)
    app.add_middleware(RequestIds)
    app.add_middleware(Measured, metrics=metrics)
    return app
