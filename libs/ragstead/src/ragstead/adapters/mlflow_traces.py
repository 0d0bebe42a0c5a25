"""Traces in MLflow's trace store: the spans over OTLP, people's judgements as its assessments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import httpx

from ragstead.errors import Unavailable
from ragstead.ports.trace_backend import WrittenScore, WrittenSpan, WrittenTrace
from ragstead.ports.tracer import Fact

NAME = "mlflow"
TRACES_PATH = "/v1/traces"
EXPERIMENT_HEADER = "x-mlflow-experiment-id"
_TYPES = {
    "generation": "LLM",
    "retriever": "RETRIEVER",
    "embedding": "EMBEDDING",
    "guardrail": "GUARDRAIL",
    "evaluator": "EVALUATOR",
    "agent": "AGENT",
    "tool": "TOOL",
    "chain": "CHAIN",
    "span": "UNKNOWN",
}
_MISSING = "RESOURCE_DOES_NOT_EXIST"


class Spans(Protocol):
    """Makes spans and sends them."""

    def send(self, traces: Sequence[WrittenTrace]) -> None:
        """Make the traces' spans and send them; `Unavailable` if they were not taken."""
        ...

    def close(self) -> None:
        """Let go of the connections."""
        ...


class MlflowTraces:
    """Is a `TraceBackend` on an MLflow server; without its client, which takes seconds to import.

    Judgements of programs that are known with the answer become tags of the trace, which its list shows and filters
    by; an assessment each would cost the server more than the trace itself.

    Args:
        http: A client on the server's address.
        open_spans: From an experiment's id to what makes spans and sends them there; asked when the server answers.
        experiment: Name of the experiment; made where it is not there.
    """

    def __init__(self, http: httpx.Client, open_spans: OpenSpans, experiment: str) -> None:
        self._http = http
        self._open_spans = open_spans
        self._experiment = experiment
        self._spans: Spans | None = None

    @property
    def name(self) -> str:
        """`mlflow`."""
        return NAME

    def keep(self, traces: Sequence[WrittenTrace]) -> None:
        """Send the traces' spans.

        Raises:
            Unavailable: If the server is down, or did not take them.
        """
        if self._spans is None:
            self._spans = self._open_spans(self._experiment_id())
        self._spans.send(traces)

    def judge(self, scores: Sequence[WrittenScore]) -> int:
        """Send the judgements as assessments and return how many the server took.

        Raises:
            Unavailable: If it is down, or took none.
        """
        refused = ""
        taken = 0
        for one in scores:
            answer = self._call("POST", f"/api/3.0/mlflow/traces/tr-{one.trace_id}/assessments", _assessment(one))
            taken += answer.is_success
            refused = refused if answer.is_success else _why(answer)
        if not taken:
            raise Unavailable(NAME, f"{NAME} did not take {len(scores)} assessments: {refused}")
        return taken

    def close(self) -> None:
        """Let go of the connections."""
        if self._spans is not None:
            self._spans.close()
        self._http.close()

    def _experiment_id(self) -> str:
        """Return the experiment's id; another process may make it in the same moment."""
        for _ in range(2):
            name = {"experiment_name": self._experiment}
            found = self._call("GET", "/api/2.0/mlflow/experiments/get-by-name", params=name)
            if found.is_success:
                return str(found.json()["experiment"]["experiment_id"])
            if _MISSING not in found.text:
                raise Unavailable(NAME, f"{NAME} does not name experiment {self._experiment!r}: {_why(found)}")
            made = self._call("POST", "/api/2.0/mlflow/experiments/create", {"name": self._experiment})
            if made.is_success:
                return str(made.json()["experiment_id"])
        raise Unavailable(NAME, f"{NAME} makes no experiment {self._experiment!r}: {_why(made)}")

    def _call(
        self, method: str, path: str, body: object = None, params: Mapping[str, str] | None = None
    ) -> httpx.Response:
        try:
            return self._http.request(method, path, json=body, params=params)
        except httpx.HTTPError as exc:
            raise Unavailable(NAME, f"{NAME} can't be reached: {type(exc).__name__}") from exc


class OpenSpans(Protocol):
    """From an experiment's id to what sends spans there."""

    def __call__(self, experiment_id: str) -> Spans:
        """Return it."""
        ...


def span_attributes(environment: str, trace: WrittenTrace, one: WrittenSpan) -> dict[str, Fact]:
    """Return a span's attributes as MLflow's server reads them; tags of the trace stand on its root."""
    out: dict[str, Fact] = {"mlflow.spanType": _TYPES.get(one.kind, "UNKNOWN"), **one.facts}
    if one.input:
        out["mlflow.spanInputs"] = _as_json(one.input)
    if one.output:
        out["mlflow.spanOutputs"] = _as_json(one.output)
    if one.model:
        out["mlflow.llm.model"] = one.model
    if one.tokens:
        read, written = one.tokens
        usage = {"input_tokens": read, "output_tokens": written, "total_tokens": read + written}
        out["mlflow.chat.tokenUsage"] = json.dumps(usage)
    if one.cost_usd is not None:
        out["mlflow.llm.cost"] = json.dumps(
            {
                "input_cost": one.facts.get("cost_usd.input"),
                "output_cost": one.facts.get("cost_usd.output"),
                "total_cost": one.cost_usd,
            }
        )
    if one.first_token_ns:
        out["time_to_first_token_ms"] = round((one.first_token_ns - one.began_ns) / 1e6, 3)
    if one is trace.spans[0]:
        out |= _root_attributes(environment, trace)
    return out


def _root_attributes(environment: str, trace: WrittenTrace) -> dict[str, Fact]:
    tags = {"mlflow.traceName": trace.name, "environment": environment, "release": trace.release}
    tags |= {
        name: f"{value:.4f}" if isinstance(value, float) else str(value).lower() for name, value in trace.scores.items()
    }
    tags |= {f"metadata.{name}": value for name, value in trace.metadata.items()}
    out: dict[str, Fact] = {f"mlflow.traceTag.{name}": value for name, value in tags.items() if value}
    if trace.user:
        out["user.id"] = trace.user
    if trace.session:
        out["session.id"] = trace.session
    return out


def _assessment(one: WrittenScore) -> dict[str, object]:
    at = datetime.fromtimestamp(one.at_ns / 1e9, UTC).isoformat().replace("+00:00", "Z")
    kind = "HUMAN" if one.by_person else "CODE"
    assessment: dict[str, object] = {
        "assessment_name": one.name,
        "trace_id": f"tr-{one.trace_id}",
        "source": {"source_type": kind, "source_id": "feedback" if one.by_person else "ragstead"},
        "create_time": at,
        "last_update_time": at,
        "feedback": {"value": one.value},
        "metadata": {"score_id": one.score_id},
    }
    if one.span_id:
        assessment["span_id"] = one.span_id
    if one.comment:
        assessment["rationale"] = one.comment
    return {"assessment": assessment}


def _as_json(text: str) -> str:
    """Return JSON as it is, and other text as a JSON string."""
    try:
        json.loads(text)
    except ValueError:
        return json.dumps(text, ensure_ascii=False)
    return text


def _why(answer: httpx.Response) -> str:
    return f"HTTP {answer.status_code} {answer.text[:200]}"
