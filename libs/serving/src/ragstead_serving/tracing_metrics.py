"""What Prometheus scrapes of the traces that leave."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ragstead.ports.tracer import Tracer


class TracingMetrics(Collector):
    """Shows, when it is asked, what became of a tracer's traces; nothing is booked while answers are given.

    Args:
        registry: Where the metrics are exposed.
        tracer: Whose.
    """

    def __init__(self, registry: CollectorRegistry, tracer: Tracer) -> None:
        self._tracer = tracer
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the metrics' names, without asking."""
        return _metrics()

    def collect(self) -> Iterable[Metric]:
        """Return the metrics."""
        spans, scores, up = families = _metrics()
        for name, state in self._tracer.states().items():
            for outcome, count in (("sent", state.spans), ("failed", state.failed), ("dropped", state.dropped)):
                spans.add_metric([name, outcome], count)
            for outcome, count in (("sent", state.scores), ("failed", state.scores_failed)):
                scores.add_metric([name, outcome], count)
            up.add_metric([name], 0 if state.trouble else 1)
        return families


def _metrics() -> tuple[CounterMetricFamily, CounterMetricFamily, GaugeMetricFamily]:
    labels = ["backend", "outcome"]
    return (
        CounterMetricFamily(
            "ragstead_trace_spans", "Spans sent, refused (failed), and dropped as too much waited.", labels=labels
        ),
        CounterMetricFamily("ragstead_trace_scores", "Scores sent, and lost.", labels=labels),
        GaugeMetricFamily("ragstead_trace_backend_up", "Whether the last call worked.", labels=["backend"]),
    )
