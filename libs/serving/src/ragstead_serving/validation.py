"""FastAPI's validation errors in the words of OpenAI's: one message, and `param` naming the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi.exceptions import RequestValidationError

from ragstead.errors import InvalidRequest

_MISSING = "missing"
_UNKNOWN = "extra_forbidden"
_WHERE = ("body", "query", "path", "header", "cookie")


def invalid_request(error: RequestValidationError, content_type: str) -> InvalidRequest:
    """Return what the caller should be told: the error that reaches deepest into what was sent.

    Args:
        error: As FastAPI raised it; where a field may be of several kinds, it names the field once for each.
        content_type: Of the request, which explains a body that was not read.
    """
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        first = next(one for one in found if one["type"] == "json_invalid")
        reason = first.get("ctx", {}).get("error", "malformed")
        return InvalidRequest(f"the body is no JSON: {reason} at character {first['loc'][-1]}", code="invalid_json")
    if isinstance(error.body, bytes) and found[0]["loc"] == ("body",):
        return InvalidRequest(
            f"the body must be sent as application/json, not {content_type or 'without a Content-Type'!r}",
            code="unsupported_content_type",
        )
    worst = max(found, key=lambda one: len(_path(one, error.body)))
    return _told(worst, _path(worst, error.body))


def _told(one: Mapping[str, Any], path: Sequence[str | int]) -> InvalidRequest:
    param = _written(path)
    if not param:
        return InvalidRequest("the request has no body, and needs a JSON object", code="missing_required_parameter")
    if one["type"] == _MISSING:
        return InvalidRequest(f"missing required parameter: {param}", param=param, code="missing_required_parameter")
    if one["type"] == _UNKNOWN:
        return InvalidRequest(f"unknown parameter: {param}", param=param, code="unknown_parameter")
    code = "invalid_type" if one["type"].endswith("_type") else "invalid_value"
    return InvalidRequest(f"{param}: {_reason(one)}", param=param, code=code)


def _reason(one: Mapping[str, Any]) -> str:
    reason = str(one["msg"])
    return reason[:1].lower() + reason[1:] + f", not {one.get('input')!r:.80}"


def _path(one: Mapping[str, Any], body: object) -> list[str | int]:
    """Return where the error lies in what was sent, without the names of the types that were tried."""
    location = list(one["loc"])
    if location and location[0] != "body":
        return [part for part in location if part not in _WHERE][:1]
    path: list[str | int] = []
    at = body
    for part in location[1:]:
        if isinstance(at, Mapping) and part in at:
            at = at[str(part)]
        elif isinstance(at, list) and isinstance(part, int) and part < len(at):
            at = at[part]
        elif not (one["type"] == _MISSING and part == location[-1]):
            continue
        path.append(part)
    return path


def _written(path: Sequence[str | int]) -> str:
    written = ""
    for part in path:
        written += f"[{part}]" if isinstance(part, int) else f".{part}" if written else part
    return written
