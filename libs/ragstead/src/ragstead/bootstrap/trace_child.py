"""The process that traces go through, for `ragstead.adapters.tracing_process`: it alone waits for the backends.

Lines of JSON come on standard input: first which backends there are, then traces and scores. What became of them goes
to standard output, a line whenever that changes. It ends when its input does, once what waits is sent or the time for
that is over.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import IO, Any

import orjson

from ragstead.pipelines.trace_delivery import Delivery, DeliveryLimits
from ragstead.ports.trace_backend import TraceBackend, WrittenScore, WrittenSpan, WrittenTrace
from ragstead.ports.tracer import BackendState

_NICENESS = 19
"""Answers go first."""
_REPORTS_S = 0.25
_REST_OF_A_NEIGHBOUR = 9.0
"""Seconds of rest for each second that a backend on this machine worked for us: a tenth of a core."""


def main() -> None:
    """Serve the parent until it says no more."""
    lines = sys.stdin.buffer
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not get among the replies
    given = orjson.loads(lines.readline() or b"{}")
    deliveries = _open(given.get("backends", {}))
    over = threading.Event()
    reporting = threading.Thread(target=_report, args=(replies, [one for one, _ in deliveries], over))
    reporting.start()
    try:
        _serve(lines, deliveries)
    finally:
        _finish([one for one, _ in deliveries], given.get("shutdown_s", 0.0))
        over.set()
        reporting.join(1.0)
        os._exit(0)  # threads of the libraries would go on for as long as their requests last


Known = Callable[[WrittenTrace], Sequence[WrittenScore]]


def _open(backends: Mapping[str, Any]) -> list[tuple[Delivery, Known]]:
    openers: Mapping[str, Callable[..., tuple[TraceBackend, Known]]] = {"langfuse": _langfuse, "mlflow": _mlflow}
    opened = []
    for name, told in backends.items():
        waiting, interval_s = told.pop("waiting"), told.pop("interval_s")
        rest = _REST_OF_A_NEIGHBOUR if name == "mlflow" and not told["far"] else 0.0
        limits = DeliveryLimits(waiting=waiting, interval_s=interval_s, rest=rest)
        opened.append((*openers[name](**told), limits))
    if hasattr(os, "nice"):  # for this thread and those to come; not before, or imports would take for ever
        os.nice(_NICENESS)
    return [(Delivery(backend, limits), known) for backend, known, limits in opened]


def _langfuse(
    host: str, public_key: str, secret_key: str, environment: str, timeout_s: float, *, far: bool
) -> tuple[TraceBackend, Known]:
    from ragstead.adapters.langfuse import (
        NAME,
        TRACES_PATH,
        LangfuseProject,
        LangfuseTraces,
        scores_of,
        span_attributes,
    )
    from ragstead.adapters.opentelemetry import OtlpEndpoint, OtlpSpans

    project = LangfuseProject(host.rstrip("/"), public_key, secret_key, environment, timeout_s)
    endpoint = OtlpEndpoint(NAME, project.host + TRACES_PATH, project.headers(), timeout_s, far)
    return LangfuseTraces(project, OtlpSpans(endpoint, partial(span_attributes, environment))), scores_of


def _mlflow(
    url: str, experiment: str, token: str, environment: str, timeout_s: float, *, far: bool
) -> tuple[TraceBackend, Known]:
    import httpx

    from ragstead.adapters.mlflow_traces import EXPERIMENT_HEADER, NAME, TRACES_PATH, MlflowTraces, span_attributes
    from ragstead.adapters.opentelemetry import OtlpEndpoint, OtlpSpans

    base = url.rstrip("/")
    headers = {"Authorization": f"Bearer {token}"} if token else {}

    def open_spans(experiment_id: str) -> OtlpSpans:
        endpoint = OtlpEndpoint(NAME, base + TRACES_PATH, {EXPERIMENT_HEADER: experiment_id, **headers}, timeout_s, far)
        spans = OtlpSpans(endpoint, partial(span_attributes, environment), own_roots=True)
        spans.send_by_batches()
        return spans

    http = httpx.Client(base_url=base, headers=headers, timeout=timeout_s)
    return MlflowTraces(http, open_spans, experiment), lambda _: ()


def _report(replies: IO[bytes], deliveries: Sequence[Delivery], over: threading.Event) -> None:
    """Write each state when it has changed, some times a second, and once more at the end."""
    told = [BackendState()] * len(deliveries)
    last = False
    while not last:
        last = over.wait(_REPORTS_S)
        for n, one in enumerate(deliveries):
            if one.state != told[n]:
                told[n] = one.state
                replies.write(orjson.dumps({"backend": one.name, "state": told[n]}) + b"\n")
        replies.flush()


def _serve(lines: Iterable[bytes], deliveries: Sequence[tuple[Delivery, Known]]) -> None:
    for line in lines:
        told = orjson.loads(line)
        if "trace" in told:
            trace = _read_trace(told["trace"])
            for delivery, known in deliveries:
                delivery.offer(trace)
                for score in known(trace):
                    delivery.offer(score)
        else:
            score = WrittenScore(**told["score"])
            for delivery, _ in deliveries:
                delivery.offer(score)


def _read_trace(told: dict[str, Any]) -> WrittenTrace:
    spans = [WrittenSpan(**{**one, "tokens": tuple(one["tokens"]) if one["tokens"] else None}) for one in told["spans"]]
    return WrittenTrace(**{**told, "spans": spans})


def _finish(deliveries: Sequence[Delivery], within_s: float) -> None:
    closing = [threading.Thread(target=one.close, args=(within_s,), daemon=True) for one in deliveries]
    for one in closing:
        one.start()
    for one in closing:
        one.join(within_s)


if __name__ == "__main__":
    main()
