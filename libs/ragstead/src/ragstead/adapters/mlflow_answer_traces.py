"""Answers read back from MLflow's trace store, over its REST API."""

from __future__ import annotations

import httpx

from ragstead.errors import NotFound, Unavailable
from ragstead.ports.answer_traces import NO_TRACE, TracedAnswer
from ragstead.traced_answers import ReadSpan, traced_answer

_PATH = "/api/3.0/mlflow/traces/get"
_RELEASE_TAG = "mlflow.traceTag.release"
_SECONDS_LATER = "traces are exported some seconds after their answers"


class MlflowAnswerTraces:
    """Is `AnswerTraces` on an MLflow server.

    Args:
        url: Of the server.
        token: Bearer token that it asks for, or None.
        timeout_s: For one request.
    """

    def __init__(self, url: str, token: str | None, timeout_s: float) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # Loopback or the user's own server: no proxy of the environment's.
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, trust_env=False)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def find(self, trace_id: str) -> TracedAnswer:
        """Return the answer of a trace.

        Raises:
            NotFound: If there is no such trace, or it holds no answer.
            Unavailable: If the server can't be reached, or its answer not be read.
        """
        try:
            answer = await self._http.get(_PATH, params={"trace_id": f"tr-{trace_id}"})
        except httpx.HTTPError as exc:
            raise Unavailable("mlflow", f"MLflow can't be reached: {type(exc).__name__}") from exc
        if answer.status_code == httpx.codes.NOT_FOUND:
            raise NotFound(NO_TRACE, trace_id, _SECONDS_LATER)
        try:
            given = answer.raise_for_status().json()["trace"]["spans"]
            spans = [_read(one) for one in given]
        except (httpx.HTTPStatusError, ValueError, KeyError, TypeError) as exc:
            what = f"MLflow's answer to trace {trace_id} can't be read: HTTP {answer.status_code}, {exc!r:.200}"
            raise Unavailable("mlflow", what) from exc
        return traced_answer(trace_id, spans)


def _read(span: dict[str, object]) -> ReadSpan:
    attributes = _values(span.get("attributes"))
    given = attributes.pop("mlflow.spanInputs", None)
    told = attributes.pop("mlflow.spanOutputs", None)
    if _RELEASE_TAG in attributes:
        attributes["release"] = attributes[_RELEASE_TAG]
    parent_id, span_id = str(span.get("parent_span_id", "")), str(span.get("span_id", ""))
    return ReadSpan(str(span["name"]), parent_id, given, told, attributes, span_id)


def _values(pairs: object) -> dict[str, object]:
    """Return OTLP's list of keys and values as a mapping."""
    return {str(one["key"]): _value(one.get("value", {})) for one in pairs} if isinstance(pairs, list) else {}


def _value(value: dict[str, object]) -> object:
    """Return a value of OTLP's JSON: each has one key, which names its type."""
    if not value:
        return None
    ((kind, content),) = value.items()
    if kind == "kvlist_value":
        return _values(_list_of(content))
    if kind == "array_value":
        return [_value(one) for one in _list_of(content)]
    return int(str(content)) if kind == "int_value" else content


def _list_of(content: object) -> list[dict[str, object]]:
    values = content.get("values", []) if isinstance(content, dict) else []
    return values if isinstance(values, list) else []
