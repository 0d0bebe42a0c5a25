"""Spans of what is being done, and how they are written down: no backend is known here."""

from ragstead.tracing.off import NoTracer
from ragstead.tracing.spans import (
    apart,
    begin_trace,
    child_of,
    current,
    ended,
    failed,
    followed,
    span,
    stepping,
    within,
)
from ragstead.tracing.traceparent import read_traceparent, response_id, trace_of_response
from ragstead.tracing.writing import Writer, WritingRules

__all__ = [
    "NoTracer",
    "Writer",
    "WritingRules",
    "apart",
    "begin_trace",
    "child_of",
    "current",
    "ended",
    "failed",
    "followed",
    "read_traceparent",
    "response_id",
    "span",
    "stepping",
    "trace_of_response",
    "within",
]
