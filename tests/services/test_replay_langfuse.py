"""From an answer to its trace in Langfuse, to a case of a suite, and to the question asked again: a real platform."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.trace_receiver import Receiver, receiving
from integration.traced_house import configured
from mlflow_server import answers
from services.mlflow_platform import QUESTION, Place, Up, soon

BADGE = "Who gets a badge, is it jane.roe@example.com?"


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("langfuse"))


def config(place: Place, receiver: Receiver, name: str = "base", **tracing: Any) -> Path:
    settings = configured(place.folder, receiver.url, **{"timeout_s": 2, **tracing})
    settings["deployment"] |= {"mlflow": {"port": 0, "poll_s": 0.2}, "answer_cache": {"ttl_s": 0}}
    path = place.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return path


@pytest.fixture(scope="module")
def up(place: Place, receiver: Receiver) -> Iterator[Up]:
    with place.up(config(place, receiver)) as running:
        place.run("ingest", place.folder / "leave.md", "--meta", "team=people")
        yield running


@pytest.fixture
def traced(place: Place, up: Up, receiver: Receiver) -> Iterator[dict[str, Any]]:
    """An answer whose trace Langfuse has taken."""
    only = '{"type": "eq", "key": "team", "value": "people"}'
    answer = place.run("ask", QUESTION, "-k", "3", "--filter", only)
    receiver.trace(answer["receipt"]["trace_id"])
    yield {"id": answer["receipt"]["trace_id"], "answer": answer}
    receiver.told = "v4"


@pytest.mark.parametrize("version", ["v4", "v3"])
def test_trace_in_langfuse_tells_the_answer_and_what_was_asked(
    up: Up, receiver: Receiver, traced: dict[str, Any], version: str
) -> None:
    receiver.told = version
    trace, answer = up.get(f"/v1/traces/{traced['id']}"), traced["answer"]
    assert (trace["question"], trace["collection"]) == (QUESTION, "default")
    assert trace["asked"] == {"k": 3, "filter": {"type": "eq", "key": "team", "value": "people"}}
    for name in ("answer", "refused", "reason"):
        assert trace[name] == answer[name]
    for name in ("release", "collection_version", "model"):
        assert trace[name] == answer["receipt"][name]
    assert trace["p_supported"] == pytest.approx(answer["p_supported"])
    assert [one["quote"] for one in trace["quotes"]] == [one["quote"] for one in answer["citations"]]
    assert "27 days" in trace["passages"][0]["text"]


def test_question_of_a_trace_in_langfuse_is_asked_again(place: Place, traced: dict[str, Any]) -> None:
    told = place.run("replay", traced["id"])
    assert (told["differences"], told["redacted"]) == ([], False)
    assert told["now"]["trace_id"] != traced["id"]


def test_replay_waits_for_a_trace_that_langfuse_has_not_taken_in_yet(
    place: Place, receiver: Receiver, traced: dict[str, Any]
) -> None:
    receiver.told, receiver.late = "v4", 2
    before = len(receiver.asked)
    assert place.run("replay", traced["id"])["differences"] == []
    assert len(receiver.asked) - before == 3


def test_trace_in_langfuse_becomes_a_case_that_a_suite_run_asks_of_its_passages(
    place: Place, traced: dict[str, Any]
) -> None:
    suite = place.folder / "traced.yaml"
    place.run("eval", "add", "--trace", traced["id"], "--suite", suite, "--answer", "27 days")
    (case,) = yaml.safe_load(suite.read_text())["questions"]
    assert (case["question"], case["answers"]) == (QUESTION, ["27 days"])
    assert place.run("eval", "run", suite)["metrics"]["answers_contained"] == 1.0


def test_question_whose_personal_data_stayed_here_is_told_to_be_asked_without(
    place: Place, up: Up, receiver: Receiver
) -> None:
    trace_id = place.run("ask", BADGE)["receipt"]["trace_id"]
    receiver.trace(trace_id)
    told = place.run("replay", trace_id)
    assert (told["question"], told["redacted"]) == (BADGE.replace("jane.roe@example.com", "<EMAIL>"), True)


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        ("401", 4, "refuses the keys of deployment.tracing.langfuse: HTTP 401"),
        ("500", 4, "HTTP 500"),
        ("hang", 4, "can't be reached"),
        ("rubbish", 4, "can't be read"),
        ("none", 4, "can't be read"),
    ],
)
@pytest.mark.parametrize("verb", ["replay", "eval add"])
def test_langfuse_in_trouble_is_told_in_one_line(
    place: Place, receiver: Receiver, traced: dict[str, Any], trouble: str, code: int, words: str, verb: str
) -> None:
    receiver.told = trouble
    suite = place.folder / "none.yaml"
    rest = ["replay", traced["id"]] if verb == "replay" else ["eval", "add", "--trace", traced["id"], "--suite", suite]
    assert words in place.run(*rest, *([] if verb == "replay" else ["--unanswerable"]), code=code)
    assert not suite.exists()
    receiver.told = "v4"
    assert place.run("ask", QUESTION)["refused"] is False


def test_trace_that_langfuse_never_takes_in_is_waited_for_and_then_told(
    place: Place, receiver: Receiver, traced: dict[str, Any]
) -> None:
    receiver.told = "late"
    assert "some seconds after its answer" in place.run("replay", traced["id"], code=2)


def test_trace_without_contents_says_why_it_can_not_be_asked_again(tmp_path: Path, receiver: Receiver) -> None:
    place = Place(tmp_path)
    with place.up(config(place, receiver, contents="none")):
        place.run("ingest", tmp_path / "leave.md")
        trace_id = place.run("ask", QUESTION)["receipt"]["trace_id"]
        receiver.trace(trace_id)
        assert "contents were not captured" in place.run("replay", trace_id, code=2)
        assert "contents were not captured" in place.run("eval", "add", "--trace", trace_id, "--unanswerable", code=2)


@pytest.mark.slow
def test_either_of_mlflow_and_langfuse_is_enough(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with receiving() as receiver:
        with place.up(config(place, receiver), "--mlflow") as up:
            place.run("ingest", tmp_path / "leave.md")
            soon(lambda: answers(up.mlflow_url()), "MLflow is up", 120)
            trace_id = place.run("ask", QUESTION)["receipt"]["trace_id"]
            receiver.trace(trace_id)
            receiver.told = "late"  # nothing from Langfuse: MLflow has it
            assert place.run("replay", trace_id)["differences"] == []
        receiver.told = "v4"
        with place.up(config(place, receiver, "other", mlflow_url="http://127.0.0.1:9")):
            assert place.run("replay", trace_id)["question"] == QUESTION  # MLflow is down: Langfuse has it
            receiver.told = "late"
            assert "MLflow can't be reached" in place.run("replay", trace_id, code=4)
