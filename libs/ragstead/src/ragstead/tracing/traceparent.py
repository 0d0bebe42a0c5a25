"""Names of traces on their way in and out: W3C's `traceparent`, and the ids of our responses."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ragstead.ids import random_id
from ragstead.ports.tracer import TraceContext

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-[0-9a-f]{2}(?P<more>-.*)?"
)
_RESPONSE = re.compile(r"(?:chatcmpl-)?(?P<trace>[0-9a-f]{32})(?P<span>[0-9a-f]{16})?")


def read_traceparent(header: str, user: str = "", metadata: Mapping[str, str] | None = None) -> TraceContext:
    """Return where a trace begins: within the caller's where the header is well formed, else a new one.

    Whether the caller recorded theirs says nothing about ours: the header's flags are read and not heeded.

    Args:
        header: `traceparent` as it came; empty where none did.
        user: Whom the answer is for.
        metadata: The caller's own labels.

    Source: https://www.w3.org/TR/trace-context/, section 3.2.
    """
    labels = metadata or {}
    found = _TRACEPARENT.fullmatch(header.strip()) if header else None
    if found is None or _is_off(found):
        return TraceContext(user=user, metadata=labels)
    return TraceContext(found["trace"], random_id(), found["span"], user, labels)


def _is_off(found: re.Match[str]) -> bool:
    unknown = found["version"] == "ff" or (found["version"] == "00" and found["more"] is not None)
    return unknown or not found["trace"].strip("0") or not found["span"].strip("0")


def response_id(context: TraceContext) -> str:
    """Return the id of the response: what it is about can be told from it, and two of one trace have two."""
    return f"chatcmpl-{context.trace_id}{context.span_id}"


def trace_of_response(given: str) -> tuple[str, str] | None:
    """Return trace and root span that a response's id, or a bare trace id, stands for; None where it is no such id.

    Of a trace id alone the span is empty.
    """
    found = _RESPONSE.fullmatch(given)
    if found is None or not found["trace"].strip("0"):
        return None
    return found["trace"], found["span"] or ""
