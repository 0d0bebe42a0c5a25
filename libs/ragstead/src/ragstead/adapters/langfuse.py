"""Traces and scores in Langfuse, by its SDK: the spans over OTLP, the scores over its API."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Protocol, cast

import httpx
from langfuse import Langfuse, LangfuseOtelSpanAttributes
from langfuse import __version__ as sdk_version
from langfuse.api.core import ApiError
from langfuse.api.scores.types import CreateScoreBatchResults

from ragstead.errors import Unavailable
from ragstead.ports.trace_backend import WrittenScore, WrittenSpan, WrittenTrace
from ragstead.ports.tracer import Fact

if TYPE_CHECKING:
    from langfuse.api import CreateScoreRequest
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

NAME = "langfuse"
TRACES_PATH = "/api/public/otel/v1/traces"
_A = LangfuseOtelSpanAttributes
_NAME_CHARS = 200
"""Of a user's or a session's id; Langfuse takes no longer ones."""
_SPANS_A_BATCH = 2048
_AS_JSON = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class LangfuseProject:
    """Whose traces these are.

    Attributes:
        host: Address of the server, without a path.
        public_key: Of the project.
        secret_key: The same.
        environment: As Langfuse shows it: `production`, say.
        timeout_s: For one call.
    """

    host: str
    public_key: str
    secret_key: str
    environment: str
    timeout_s: float

    def headers(self) -> dict[str, str]:
        """Return the headers with which the SDK sends spans, to be given to an exporter that is not its own."""
        key = base64.b64encode(f"{self.public_key}:{self.secret_key}".encode()).decode()
        return {
            "Authorization": f"Basic {key}",
            "x-langfuse-sdk-name": "python",
            "x-langfuse-sdk-version": sdk_version,
            "x-langfuse-public-key": self.public_key,
            "x-langfuse-ingestion-version": "4",
        }


class Spans(Protocol):
    """Makes spans on a provider, and sends what its processors collect."""

    @property
    def provider(self) -> TracerProvider:
        """Where the SDK adds its processor."""
        ...

    @property
    def exporter(self) -> SpanExporter:
        """What that is to send by."""
        ...

    def send(self, traces: Sequence[WrittenTrace]) -> None:
        """Make the traces' spans and send them; `Unavailable` if they were not taken."""
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...


class LangfuseTraces:
    """Is a `TraceBackend` on Langfuse's SDK, over a provider of our own and nothing global.

    Scores go out by the SDK's client without its queue, which drops without a word what is over it, and tells nobody
    which of a batch was refused.

    Args:
        project: Whose they are.
        spans: Makes and sends the spans; with the attributes of `span_attributes`.
    """

    def __init__(self, project: LangfuseProject, spans: Spans) -> None:
        self._project = project
        self._spans = spans
        self._http = httpx.Client(timeout=project.timeout_s)
        self._client = Langfuse(
            public_key=project.public_key,
            secret_key=project.secret_key,
            base_url=project.host,
            environment=project.environment,
            timeout=max(1, round(project.timeout_s)),
            httpx_client=self._http,
            tracer_provider=spans.provider,
            span_exporter=spans.exporter,
            should_export_span=_everything,
            sample_rate=1.0,
            flush_at=_SPANS_A_BATCH,
            flush_interval=3600.0,
        )

    @property
    def name(self) -> str:
        """`langfuse`."""
        return NAME

    def keep(self, traces: Sequence[WrittenTrace]) -> None:
        """Send the traces' spans.

        Raises:
            Unavailable: If they were not taken.
        """
        self._spans.send(traces)

    def judge(self, scores: Sequence[WrittenScore]) -> int:
        """Send the scores and return how many Langfuse took.

        Raises:
            Unavailable: If it took none.
        """
        request = cast("list[CreateScoreRequest]", tuple(map(self._score, scores)))  # a list is read by slow rules
        try:
            answer = self._client.api.scores.create(request=request, request_options={"max_retries": 0})
        except (ApiError, httpx.HTTPError) as exc:
            status = f"HTTP {exc.status_code}" if isinstance(exc, ApiError) else type(exc).__name__
            raise Unavailable(NAME, f"{NAME} did not take {len(scores)} scores: {status}") from exc
        return answer.accepted if isinstance(answer, CreateScoreBatchResults) else len(scores)

    def close(self) -> None:
        """Let go of the connections."""
        self._spans.close()
        self._http.close()

    def _score(self, one: WrittenScore) -> dict[str, object]:
        """Return a score with the API's own names, as the SDK's queue sends them: its model of one is slow."""
        score = {
            "id": one.score_id,
            "traceId": one.trace_id,
            "observationId": one.span_id,
            "name": one.name,
            "value": float(one.value),
            "dataType": "BOOLEAN" if isinstance(one.value, bool) else "NUMERIC",
            "comment": one.comment,
            "environment": self._project.environment,
            "timestamp": _time(one.at_ns).isoformat().replace("+00:00", "Z"),
            "metadata": {"by": "person" if one.by_person else "program"},
        }
        return {name: value for name, value in score.items() if value != ""}


def span_attributes(environment: str, trace: WrittenTrace, one: WrittenSpan) -> dict[str, Fact]:
    """Return a span's attributes as Langfuse documents them.

    User, session and environment stand on every span, as Langfuse filters each by them; what else there is of the
    trace on its root.
    """
    out: dict[str, Fact | None] = {
        _A.TRACE_USER_ID: trace.user[:_NAME_CHARS] or None,
        _A.TRACE_SESSION_ID: trace.session[:_NAME_CHARS] or None,
        _A.ENVIRONMENT: environment,
        _A.OBSERVATION_TYPE: one.kind,
        _A.OBSERVATION_INPUT: one.input or None,
        _A.OBSERVATION_OUTPUT: one.output or None,
    }
    if one.error or one.is_warning:
        out[_A.OBSERVATION_LEVEL] = "WARNING" if one.is_warning or one.error.startswith("cancelled") else "ERROR"
        out[_A.OBSERVATION_STATUS_MESSAGE] = one.error or str(one.facts.get("note") or one.facts.get("route") or "")
    out |= _model_attributes(one)
    out |= {f"{_A.OBSERVATION_METADATA}.{name}": _json(value) for name, value in one.facts.items()}
    if one is trace.spans[0]:
        out |= {_A.TRACE_NAME: trace.name, _A.RELEASE: trace.release or None, _A.IS_APP_ROOT: True}
        out |= {f"{_A.TRACE_METADATA}.{_label(name, one)}": _json(value) for name, value in trace.metadata.items()}
    return {name: value for name, value in out.items() if value is not None}


def _label(name: str, root: WrittenSpan) -> str:
    """Return the name of a caller's label; where the root has a fact of that name, Langfuse would show but one."""
    return f"caller_{name}" if name in root.facts else name


def _model_attributes(one: WrittenSpan) -> dict[str, Fact | None]:
    if not one.model:
        return {}
    parameters = {name[10:]: value for name, value in one.facts.items() if name.startswith("parameter.")}
    first = _time(one.first_token_ns).isoformat().replace("+00:00", "Z") if one.first_token_ns else None
    usage = {"input": one.tokens[0], "output": one.tokens[1], "total": sum(one.tokens)} if one.tokens else None
    return {
        _A.OBSERVATION_MODEL: one.model,
        _A.OBSERVATION_MODEL_PARAMETERS: _json(parameters) if parameters else None,
        _A.OBSERVATION_USAGE_DETAILS: _json(usage) if usage else None,
        _A.OBSERVATION_COST_DETAILS: _json(_cost(one, one.cost_usd)) if one.cost_usd is not None else None,
        _A.OBSERVATION_COMPLETION_START_TIME: _json(first) if first else None,
    }


def _cost(one: WrittenSpan, total: float) -> dict[str, Fact]:
    """Return the cost under the names of the usage, as far as its parts are known."""
    parts = {name: one.facts.get(f"cost_usd.{name}") for name in ("input", "output")}
    return {**{name: value for name, value in parts.items() if value is not None}, "total": total}


def scores_of(trace: WrittenTrace) -> list[WrittenScore]:
    """Return the judgements that are known with a trace, as scores of its root."""
    root = trace.spans[0]
    return [
        WrittenScore(trace.trace_id, name, value, f"{root.span_id}-{name}", root.ended_ns, root.span_id)
        for name, value in trace.scores.items()
    ]


def _everything(_: object) -> bool:
    return True


def _json(value: object) -> str:
    return _AS_JSON(value)


def _time(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, UTC)
