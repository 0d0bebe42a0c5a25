"""What Langfuse tells of the spans that it took, as its two public APIs for traces do.

Version 4: `GET /api/public/v2/observations`, contents as text, the newest first, a page at a time. Version 3: that path
answers 404, and `GET /api/public/traces/{id}` tells the whole trace with its contents parsed.
Source: the `observations` client of its SDK 5; its server's `OtelIngestionProcessor` and `traces/{traceId}` route.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

OBSERVATIONS, TRACES = "/api/public/v2/observations", "/api/public/traces/"
KEYS = ("pk-lf-test", "sk-lf-test")
_CUT_CHARS = 200
_GROUPS = {
    "core": ("id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type"),
    "basic": ("name", "level", "statusMessage", "environment", "userId", "sessionId", "isRootObservation"),
    "io": ("input", "output"),
    "metadata": ("metadata",),
    "trace_context": ("tags", "release", "traceName"),
}

Answer = tuple[int, bytes, dict[str, str]]


class Span(Protocol):
    """A span as it arrived."""

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    began_ns: int
    ended_ns: int
    message: str
    attributes: dict[str, Any]


@dataclass(frozen=True)
class Told:
    """How the server answers, the most that it puts on a page, and what it was shown of keys."""

    how: str
    page: int
    authorization: str


def tell(told: Told, path: str, query: Mapping[str, str], spans: Sequence[Span]) -> Answer:
    """Return status, body and headers."""
    known = base64.b64encode(":".join(KEYS).encode()).decode()
    if told.authorization != f"Basic {known}":
        return _json(401, {"message": "Invalid credentials. Confirm that you've configured the correct host."})
    if told.how.isdecimal():
        after = {"Retry-After": "7"} if told.how == "429" else {}
        status, body, headers = _json(int(told.how), {"message": "Rate limit exceeded"})
        return status, body, {**headers, **after}
    if told.how in ("rubbish", "none"):
        return 200 if told.how == "rubbish" else 404, b"<html>{</html>", {"Content-Type": "text/html"}
    there = [] if told.how == "late" else spans
    if path == OBSERVATIONS and told.how != "v3":
        return _observations(told, query, there)
    if path.startswith(TRACES) and told.how in ("v3", "late"):
        return _trace(path.removeprefix(TRACES), there)
    return _json(404, {"message": "The observations v2 API is only available in a Langfuse v4 write mode."})


def _observations(told: Told, query: Mapping[str, str], spans: Sequence[Span]) -> Answer:
    limit = int(query.get("limit", "50"))
    groups = {"core", *query.get("fields", "core,basic").split(",")}
    if not 0 < limit <= 1000 or groups - _GROUPS.keys():
        return _json(400, {"message": "Invalid request data", "error": "InvalidRequestError"})
    found = sorted((one for one in spans if one.trace_id == query.get("traceId")), key=lambda one: -one.began_ns)
    after = base64.b64decode(query["cursor"]).decode() if "cursor" in query else None
    begin = next((n + 1 for n, one in enumerate(found) if one.span_id == after), 0)
    shown = found[begin : begin + min(limit, told.page)]
    more = begin + len(shown) < len(found)
    meta = {"cursor": base64.b64encode(shown[-1].span_id.encode()).decode()} if more else {}
    whole = set(filter(None, query.get("expandMetadata", "").split(",")))
    names = [name for group in groups for name in _GROUPS[group]]
    data = [_chosen(_observation(one, whole), names) for one in shown]
    return _json(200, {"data": data, "meta": meta})


def _trace(trace_id: str, spans: Sequence[Span]) -> Answer:
    found = [one for one in spans if one.trace_id == trace_id]
    if not found:
        return _json(404, {"message": f"Trace {trace_id} not found within authorized project"})
    observations = [_observation(one, None) for one in reversed(found)]
    for one in observations:
        one |= {"input": _parsed(one["input"]), "output": _parsed(one["output"])}
        one.pop("release")
    release = next((value for one in found if (value := one.attributes.get("langfuse.release"))), None)
    return _json(200, {"id": trace_id, "release": release, "observations": observations, "scores": []})


def _observation(one: Span, whole: set[str] | None) -> dict[str, Any]:
    """Return all that is told of a span; its metadata's longer texts cut, but those of `whole`; None: none cut."""
    given = one.attributes
    return {
        "id": one.span_id,
        "traceId": one.trace_id,
        "projectId": "project",
        "startTime": _time(one.began_ns),
        "endTime": _time(one.ended_ns),
        "parentObservationId": one.parent_id or None,
        "type": str(given.get("langfuse.observation.type", "span")).upper(),
        "name": one.name,
        "level": given.get("langfuse.observation.level", "DEFAULT"),
        "statusMessage": given.get("langfuse.observation.status_message"),
        "environment": given.get("langfuse.environment", "default"),
        "userId": given.get("user.id"),
        "sessionId": given.get("session.id"),
        "isRootObservation": not one.parent_id,
        "input": given.get("langfuse.observation.input"),
        "output": given.get("langfuse.observation.output"),
        "metadata": _metadata(given, whole),
        "tags": [],
        "release": given.get("langfuse.release"),
        "traceName": given.get("langfuse.trace.name"),
    }


def _metadata(given: Mapping[str, Any], whole: set[str] | None) -> dict[str, Any]:
    """Return what stands under both prefixes, the trace's over the observation's; each value parsed if it can be."""
    out: dict[str, Any] = {"resourceAttributes": {"service.name": "ragstead"}, "scopeAttributes": {}}
    for prefix in ("langfuse.observation.metadata.", "langfuse.trace.metadata."):
        for name, value in given.items():
            if name.startswith(prefix):
                key = name.removeprefix(prefix)
                cut = whole is not None and key not in whole and isinstance(value, str)
                out[key] = _parsed(value[:_CUT_CHARS] if cut else value)
    return out


def _parsed(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _chosen(one: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: one[name] for name in names}


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _json(status: int, document: Mapping[str, Any]) -> Answer:
    return status, json.dumps(document).encode(), {"Content-Type": "application/json"}
