"""What Prometheus scrapes: requests, their latency by route, those in flight, and errors."""

from __future__ import annotations

import time
from functools import lru_cache

from fastapi import Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class HttpMetrics:
    """The metrics of one service, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        names = ["method", "route"]
        self.requests = Counter(
            "ragstead_http_requests", "Requests answered.", [*names, "status"], registry=self.registry
        )
        self.errors = Counter(
            "ragstead_http_errors",
            "Requests answered with 4xx or 5xx.",
            [*names, "status"],
            registry=self.registry,
        )
        self.latency = Histogram(
            "ragstead_http_request_seconds",
            "Seconds from a request's head to the end of its response.",
            names,
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.first_byte = Histogram(
            "ragstead_http_first_byte_seconds",
            "Seconds from a request's head to the head of its response.",
            names,
            buckets=_BUCKETS_S,
            registry=self.registry,
        )
        self.in_flight = Gauge("ragstead_http_in_flight", "Requests being worked on.", registry=self.registry)
        ProcessCollector(registry=self.registry)

    def exposition(self) -> Response:
        """Return everything in Prometheus's text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)


class Measured:
    """Books each request in `metrics`, under its route's template, never under its path."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics
        self._booking = lru_cache(maxsize=1024)(self._opened)  # finding three labelled metrics takes a while

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and measure it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.perf_counter()
        status, head_s = 499, 0.0  # nothing sent: the client was gone first

        async def send_noting(message: Message) -> None:
            nonlocal status, head_s
            if message["type"] == "http.response.start":
                status, head_s = message["status"], time.perf_counter() - begin
            await send(message)

        self._metrics.in_flight.inc()
        try:
            await self._app(scope, receive, send_noting)
        finally:
            self._metrics.in_flight.dec()
            self._book(scope, status, head_s, time.perf_counter() - begin)

    def _book(self, scope: Scope, status: int, head_s: float, total_s: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = getattr(scope.get("route"), "path", "unmatched")
        requests, latency, first_byte = self._booking(method, route, status)
        requests.inc()
        latency.observe(total_s)
        first_byte.observe(head_s)
        if status >= 400:
            self._metrics.errors.labels(method, route, str(status)).inc()

    def _opened(self, method: str, route: str, status: int) -> tuple[Counter, Histogram, Histogram]:
        metrics = self._metrics
        requests = metrics.requests.labels(method, route, str(status))
        return requests, metrics.latency.labels(method, route), metrics.first_byte.labels(method, route)
