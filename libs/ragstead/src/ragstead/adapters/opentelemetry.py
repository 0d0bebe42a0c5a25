"""Traces as OpenTelemetry spans, sent over OTLP/HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from ragstead.errors import Unavailable
from ragstead.ports.trace_backend import WrittenSpan, WrittenTrace
from ragstead.ports.tracer import Fact

SCOPE = "ragstead"
_SCOPE = InstrumentationScope(SCOPE)
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_FLUSHED_AT = 500
"""Spans that a processor is handed before it is emptied; it drops what is over its 2,048 and says nothing."""
MOST_SPANS = 2048
NEVER_MS = 3_600_000
"""Between two batches that a processor would send by itself; it is told when."""

Attributes = Callable[[WrittenTrace, WrittenSpan], Mapping[str, Fact | Sequence[str]]]
"""From a span, and the trace that it is of, to its attributes as a backend reads them."""


@dataclass(frozen=True, slots=True)
class OtlpEndpoint:
    """Where spans are sent.

    Attributes:
        name: As errors call it.
        url: With its path.
        headers: Of each request.
        timeout_s: For a request, new attempts included.
        far: Whether it is worth the time to press what is sent together.
    """

    name: str
    url: str
    headers: Mapping[str, str]
    timeout_s: float
    far: bool = True


class OtlpSpans:
    """Makes spans, and gives them to the processors of a provider of its own, added by whoever sends them.

    Nothing here is global, no variable of the environment names an address, and nothing is sampled away. Spans are
    made as they are when they have ended: to begin and end each anew would cost as much as sending it.

    Args:
        endpoint: Where its `exporter` sends to.
        attributes: What the spans bear.
        own_roots: Whether the first span of a trace is a root even where a caller's is above it, which never arrives.
    """

    def __init__(self, endpoint: OtlpEndpoint, attributes: Attributes, *, own_roots: bool = False) -> None:
        self._name = endpoint.name
        self._own_roots = own_roots
        self._attributes = attributes
        self.exporter = WatchedExporter(endpoint)
        self.provider = _Provider()

    def send_by_batches(self) -> None:
        """Give the provider a processor that sends over the exporter."""
        self.provider.add_span_processor(BatchSpanProcessor(self.exporter, MOST_SPANS, NEVER_MS, MOST_SPANS))

    def send(self, traces: Sequence[WrittenTrace]) -> None:
        """Make the traces' spans and send them all.

        Raises:
            Unavailable: If they were not taken.
        """
        self.exporter.begin()
        waiting = 0
        for trace in traces:
            for made in self._made(trace):
                self.provider.take(made)
            waiting += len(trace.spans)
            if waiting >= _FLUSHED_AT:
                self.provider.force_flush()
                waiting = 0
        self.provider.force_flush()
        if self.exporter.failures:
            what = f"{self._name} did not take {self.exporter.failures} spans"
            raise Unavailable(self._name, f"{what}: {self.exporter.trouble}")

    def _made(self, trace: WrittenTrace) -> Iterator[ReadableSpan]:
        trace_id = int(trace.trace_id, 16)
        for one in trace.spans:
            parent_id = "" if self._own_roots and one is trace.spans[0] else one.parent_id
            yield ReadableSpan(
                one.name,
                _context(trace_id, one.span_id),
                _context(trace_id, parent_id) if parent_id else None,
                self.provider.resource,
                self._attributes(trace, one),
                kind=SpanKind.INTERNAL,
                status=Status(StatusCode.ERROR, one.error) if one.error and not one.is_warning else _UNSET,
                start_time=one.began_ns,
                end_time=one.ended_ns,
                instrumentation_scope=_SCOPE,
            )

    def close(self) -> None:
        """Let go of the connections."""
        self.provider.shutdown()


class _Provider(TracerProvider):
    """Is a provider whose processors are given spans that have ended elsewhere."""

    def __init__(self) -> None:
        super().__init__(sampler=ALWAYS_ON, resource=Resource({"service.name": SCOPE}), shutdown_on_exit=False)
        self._processors: list[SpanProcessor] = []

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Have a processor be given what is taken from now on."""
        self._processors.append(span_processor)
        super().add_span_processor(span_processor)

    def take(self, span: ReadableSpan) -> None:
        """Give a span to the processors."""
        for one in self._processors:
            one.on_end(span)


class WatchedExporter(SpanExporter):
    """Is the OTLP exporter, and says how many spans it could not hand over."""

    def __init__(self, endpoint: OtlpEndpoint) -> None:
        self.failures = 0
        self.trouble = ""
        _hear(self)
        self._exporter = OTLPSpanExporter(
            endpoint=endpoint.url,
            headers=dict(endpoint.headers),
            timeout=endpoint.timeout_s,
            compression=Compression.Gzip if endpoint.far else Compression.NoCompression,
        )

    def begin(self) -> None:
        """Forget earlier failures."""
        self.failures = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans."""
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.failures += len(spans)
        return result

    def shutdown(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Return True: nothing waits here."""
        return self._exporter.force_flush(timeout_millis)


class _Heard(logging.Handler):
    """Keeps the exporter's last words: why it failed is told to the log alone."""

    def __init__(self, exporter: WatchedExporter) -> None:
        super().__init__(logging.WARNING)
        self._exporter = exporter

    def emit(self, record: logging.LogRecord) -> None:
        self._exporter.trouble = record.getMessage()


def _hear(exporter: WatchedExporter) -> None:
    """Have the exporter's library tell it what fails, and nobody else: it is counted, and raised."""
    log = logging.getLogger("opentelemetry")
    log.propagate = False
    log.addHandler(_Heard(exporter))


def _context(trace_id: int, span_id: str) -> SpanContext:
    return SpanContext(trace_id, int(span_id, 16), is_remote=False, trace_flags=_SAMPLED)
