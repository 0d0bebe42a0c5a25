"""What Prometheus scrapes of what models cost."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from ragstead.pipelines.costs import CostBook


class CostMetrics(Collector):
    """Shows, when it is asked, what the models that have a price have cost.

    Args:
        registry: Where the metric is exposed.
        book: Where it is booked.
    """

    def __init__(self, registry: CollectorRegistry, book: CostBook) -> None:
        self._book = book
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the metric's name, without asking."""
        return [_family()]

    def collect(self) -> Iterable[Metric]:
        """Return the metric."""
        family = _family()
        for model, usd in self._book.totals().items():
            family.add_metric([model], usd)
        return [family]


def _family() -> CounterMetricFamily:
    return CounterMetricFamily(
        "ragstead_model_cost_usd", "Dollars that a model has cost, where it has a price.", labels=["model"]
    )
