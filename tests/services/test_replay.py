"""From an answer to its trace, to a case of a suite, and to the question asked again: a real platform and MLflow."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlflow_server import answers
from services.mlflow_platform import QUESTION, Place, Up, soon

UNKNOWN = "0" * 31 + "1"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("replay"))


@pytest.fixture(scope="module")
def up(place: Place) -> Iterator[Up]:
    with place.up(place.config("base"), "--mlflow") as running:
        place.run("ingest", place.folder / "leave.md", "--meta", "team=people")
        soon(lambda: answers(running.mlflow_url()), "MLflow is up")
        yield running


@pytest.fixture(scope="module")
def traced(place: Place, up: Up) -> dict[str, Any]:
    """An answer whose trace has arrived."""
    only = '{"type": "eq", "key": "team", "value": "people"}'
    answer = place.run("ask", QUESTION, "-k", "3", "--filter", only)
    trace_id = answer["receipt"]["trace_id"]
    return {"id": trace_id, "answer": answer, "trace": soon(lambda: trace_of(up, trace_id), "the trace is there")}


def trace_of(up: Up, trace_id: str) -> Any:
    try:
        return up.get(f"/v1/traces/{trace_id}")
    except OSError:
        return None


def test_trace_tells_the_answer_with_its_passages_and_what_was_asked(traced: dict[str, Any]) -> None:
    trace, answer = traced["trace"], traced["answer"]
    assert (trace["question"], trace["collection"]) == (QUESTION, "default")
    assert trace["asked"] == {"k": 3, "filter": {"type": "eq", "key": "team", "value": "people"}}
    for name in ("answer", "refused", "reason"):
        assert trace[name] == answer[name]
    for name in ("release", "collection_version", "model"):
        assert trace[name] == answer["receipt"][name]
    assert trace["p_supported"] == pytest.approx(answer["p_supported"])
    assert [(one["document_id"], one["quote"]) for one in trace["quotes"]] == [
        (one["document_id"], one["quote"]) for one in answer["citations"]
    ]
    assert [one["filename"] for one in trace["passages"]] == ["leave.md"]
    assert "27 days" in trace["passages"][0]["text"]


def test_same_question_on_the_same_documents_differs_in_nothing(place: Place, traced: dict[str, Any]) -> None:
    told = place.run("replay", traced["id"])
    assert told["differences"] == []
    assert told["then"]["answer"] == told["now"]["answer"]
    assert told["now"]["trace_id"] != traced["id"]


def test_release_that_is_named_answers_and_is_told_as_the_first_difference(
    place: Place, up: Up, traced: dict[str, Any]
) -> None:
    strict = place.config("strict", {"answer": {"min_support": 0.999}})
    release = place.run("release", "create", "--config", strict)["release"]
    told = place.run("replay", traced["id"], "--release", release)
    changes = {one["what"]: one for one in told["differences"]}
    assert told["differences"][0] == {"what": "release", "then": traced["trace"]["release"], "now": release}
    assert (changes["refused"]["then"], changes["refused"]["now"]) == (False, True)
    assert changes["reason"]["now"] == "low_support"
    assert up.release_live() == traced["trace"]["release"]


def test_traced_question_becomes_a_case_that_a_suite_run_asks_of_its_passages(
    place: Place, traced: dict[str, Any]
) -> None:
    suite = place.folder / "traced.yaml"
    added = place.run("eval", "add", "--trace", traced["id"], "--suite", suite, "--answer", "27 days", "--tag", "leave")
    assert added == {
        "case": f"trace-{traced['id'][:12]}", "suite": str(suite), "trace_id": traced["id"], "documents": 1
    }  # fmt: skip
    (case,) = yaml.safe_load(suite.read_text())["questions"]
    assert case["answers"] == ["27 days"]
    assert case["tags"] == ["traced", "leave"]
    assert "27 days" in case["context"][0]["text"]
    metrics = place.run("eval", "run", suite)["metrics"]
    assert metrics["answers_contained"] == 1.0
    assert "exists" not in place.run("eval", "add", "--trace", traced["id"], "--suite", suite, "--unanswerable", code=1)


def test_case_is_added_behind_the_others_whose_lines_stay(place: Place, traced: dict[str, Any], tmp_path: Path) -> None:
    suite = tmp_path / "ours.yaml"
    before = "# Ours.\nquestions:\n    - id: a   # the first\n      question: What?\n      answers: [x]\n"
    suite.write_text(before)
    place.run("eval", "add", "--trace", traced["id"], "--suite", suite, "--id", "b", "--unanswerable")
    assert suite.read_text().startswith(before)
    cases = yaml.safe_load(suite.read_text())["questions"]
    assert [(one["id"], one.get("answerable", True)) for one in cases] == [("a", True), ("b", False)]


def test_what_is_right_has_to_be_said_one_way(place: Place, traced: dict[str, Any]) -> None:
    assert "--answer TEXT, or --unanswerable" in place.run("eval", "add", "--trace", traced["id"], code=2)
    both = ("--answer", "x", "--unanswerable")
    assert "--answer TEXT, or --unanswerable" in place.run("eval", "add", "--trace", traced["id"], *both, code=2)


def test_trace_that_is_not_there_is_told_in_one_line(place: Place, up: Up) -> None:
    assert UNKNOWN in place.run("replay", UNKNOWN, code=2)


def test_what_is_no_trace_id_is_a_bad_request(place: Place, up: Up) -> None:
    assert place.run("replay", "../files", code=2)


def test_release_that_is_not_there_is_told(place: Place, traced: dict[str, Any]) -> None:
    assert "r-000000000000" in place.run("replay", traced["id"], "--release", "r-000000000000", code=2)
