"""What Prometheus scrapes of the sample of live answers that is scored."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ragstead.pipelines.sample_scoring import SampleScoring


class LiveScoringMetrics(Collector):
    """Shows, when it is asked, what became of the answers in the sample.

    Args:
        registry: Where the metrics are exposed.
        scoring: Whose.
    """

    def __init__(self, registry: CollectorRegistry, scoring: SampleScoring) -> None:
        self._scoring = scoring
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the metric's name, without asking."""
        return [_family()]

    def collect(self) -> Iterable[Metric]:
        """Return the metric."""
        family, counts = _family(), self._scoring.counts
        for outcome, count in (("scored", counts.judged), ("dropped", counts.dropped), ("failed", counts.failed)):
            family.add_metric([outcome], count)
        return [family]


def _family() -> CounterMetricFamily:
    return CounterMetricFamily(
        "ragstead_live_scoring",
        "Answers of the sample: scored, dropped as too many waited, and failed.",
        labels=["outcome"],
    )
