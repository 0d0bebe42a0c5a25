"""Traces in a real MLflow server on SQLite: what its UI and its client show of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from integration.mlflow_server import mlflow_server
from ragstead.pipelines.ingest import Submission
from ragstead.settings import DeploymentSettings, Settings
from services.live_server import serving_platform

pytestmark = pytest.mark.slow
QUESTION = "How many days of leave do parents take?"
CALLERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture(scope="module")
def platform(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    tracing = {"mlflow_url": server, "interval_s": 0.1, "timeout_s": 30}
    settings = Settings(deployment=DeploymentSettings(data_dir=tmp_path_factory.mktemp("data"), tracing=tracing))
    document = Submission("leave.md", "leave.md", b"Parents take 20 days of leave each year. Lunch is free.")
    with serving_platform(settings, {"default": [document]}) as url:
        yield url


def ask(platform: str, question: str = QUESTION, traceparent: str = "", **more: Any) -> dict[str, Any]:
    body = {"model": "ragstead", "messages": [{"role": "user", "content": question}], **more}
    answer = httpx.post(f"{platform}/v1/chat/completions", json=body, headers={"traceparent": traceparent}, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def until(look: Callable[[], Any], within_s: float = 90) -> Any:
    end = time.monotonic() + within_s
    while not (found := look()):
        assert time.monotonic() < end
        time.sleep(0.2)
    return found


def found(server: str, trace_id: str) -> Any:
    """The trace, as MLflow's own client reads it."""
    from mlflow import MlflowClient  # noqa: PLC0415  (seconds)
    from mlflow.exceptions import MlflowException  # noqa: PLC0415

    def look() -> Any:
        client = MlflowClient(tracking_uri=server)
        try:
            trace = client.get_trace(f"tr-{trace_id}", display=False)
        except MlflowException:
            return None
        return trace if trace.data.spans else None

    return until(look)


@pytest.mark.filterwarnings("ignore")  # of MLflow's own modules
def test_trace_shows_types_inputs_outputs_and_tokens(server: str, platform: str) -> None:
    answer = ask(platform, traceparent=CALLERS, user="u-7", metadata={"team": "people"})
    trace = found(server, answer["rag"]["trace_id"])
    spans = {one.name: one for one in trace.data.spans}
    types = {name: one.span_type for name, one in spans.items()}
    assert types["answer"] == "CHAIN"
    assert (types["retrieve"], types["bm25"], types["dense"]) == ("RETRIEVER",) * 3
    assert (types["generate"], types["embed"], types["assess"]) == ("LLM", "EMBEDDING", "EVALUATOR")
    assert spans["answer"].parent_id is None  # though the caller's own span is above it, which never arrives
    assert spans["answer"].inputs == {"question": QUESTION}
    assert spans["answer"].outputs["answer"] == answer["choices"][0]["message"]["content"]
    assert "20 days" in spans["retrieve"].outputs[0]["page_content"]
    info = trace.info
    assert info.state.value == "OK"
    assert info.token_usage["total_tokens"] == answer["usage"]["total_tokens"]
    assert info.trace_metadata["mlflow.trace.user"] == "u-7"
    assert info.tags["release"] == answer["rag"]["release"]
    assert (info.tags["refused"], info.tags["metadata.team"]) == ("false", "people")
    assert float(info.tags["p_supported"]) == pytest.approx(answer["rag"]["p_supported"], abs=1e-3)


@pytest.mark.filterwarnings("ignore")
def test_traces_are_found_by_what_they_bear(server: str, platform: str) -> None:
    from mlflow import MlflowClient  # noqa: PLC0415  (seconds)

    refused = ask(platform, "Which enzyme splits lactose in yeast?")
    found(server, refused["rag"]["trace_id"])
    client = MlflowClient(tracking_uri=server)
    experiment = client.get_experiment_by_name("ragstead")
    there = client.search_traces(locations=[experiment.experiment_id], filter_string="tags.refused = 'true'")
    assert f"tr-{refused['rag']['trace_id']}" in {one.info.trace_id for one in there}


@pytest.mark.filterwarnings("ignore")
def test_feedback_is_an_assessment_of_the_trace(server: str, platform: str) -> None:
    answer = ask(platform, "How long is parental leave?")
    given = {"response_id": answer["id"], "score": False, "comment": "of jane@example.com"}
    told = httpx.post(f"{platform}/v1/feedback", json=given)
    assert told.json()["kept_by"] == ["mlflow"]
    (one,) = until(lambda: found(server, answer["rag"]["trace_id"]).info.assessments)
    assert (one.name, one.feedback.value, one.rationale) == ("feedback", False, "of <EMAIL>")
    assert one.source.source_type == "HUMAN"
    assert one.span_id == answer["id"].removeprefix("chatcmpl-")[32:]


def test_feedback_on_a_trace_that_is_not_there_is_counted_as_lost(platform: str) -> None:
    assert httpx.post(f"{platform}/v1/feedback", json={"response_id": "e" * 32, "score": 1}).status_code == 200
    lost = 'ragstead_trace_scores_total{backend="mlflow",outcome="failed"} 1.0'
    until(lambda: lost in httpx.get(f"{platform}/metrics").text)
