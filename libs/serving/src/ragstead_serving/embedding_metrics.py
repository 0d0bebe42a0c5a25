"""What Prometheus scrapes of an embedding model."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from ragstead_serving.embeddings import ServedEmbedding

_WAITS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class EmbeddingMetrics:
    """Books the work of one model; listens as `EmbeddingEvents`.

    Args:
        registry: Where the metrics are exposed.
        model: Which one.
    """

    def __init__(self, registry: CollectorRegistry, model: ServedEmbedding) -> None:
        model.events.listeners.append(self)
        device = Gauge("ragstead_embedding_device_info", "Where the model runs.", ["device"], registry=registry)
        device.labels(model.device).set(1)
        if model.device_memory() is not None:
            held = Gauge("ragstead_embedding_device_memory_bytes", "Held of the GPU's memory.", registry=registry)
            held.set_function(lambda: float(model.device_memory() or 0))
        self._waiting = Gauge("ragstead_embedding_waiting_tokens", "Tokens that wait.", registry=registry)
        self._waits = Histogram(
            "ragstead_embedding_wait_seconds",
            "Seconds from a request's arrival to its first pass.",
            ["lane"],
            buckets=_WAITS_S,
            registry=registry,
        )
        self._rows = Histogram("ragstead_embedding_pass_rows", "Texts of one pass.", buckets=_SIZES, registry=registry)
        self._tokens = Counter("ragstead_embedding_tokens", "Tokens embedded.", registry=registry)
        self._lookups = Counter(
            "ragstead_embedding_cache", "Texts looked up in the cache.", ["outcome"], registry=registry
        )
        self._failures = Counter(
            "ragstead_embedding_cache_failures", "Calls of the cache that failed.", registry=registry
        )

    def queued(self, tokens: int) -> None:
        """Book what waits."""
        self._waiting.set(tokens)

    def began(self, lane: str, waited_s: float) -> None:
        """Book a wait."""
        self._waits.labels(lane).observe(waited_s)

    def encoded(self, rows: int, tokens: int) -> None:
        """Book a pass."""
        self._rows.observe(rows)
        self._tokens.inc(tokens)

    def looked_up(self, hits: int, misses: int) -> None:
        """Book what the cache knew."""
        self._lookups.labels("hit").inc(hits)
        self._lookups.labels("miss").inc(misses)

    def cache_failed(self) -> None:
        """Book a call of the cache that failed."""
        self._failures.inc()
