"""Traces of answers, as Langfuse's real SDK sends them to a receiver that reads every byte."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration.trace_receiver import SCORES, TRACES, ReceivedSpan, receiving
from integration.traced_house import QUESTION, House, housed
from ragstead.settings import load_settings
from services.live_server import serving_platform
from services.scripted_model import HEAD, Step, event, refuses, says, scripted

CALLERS_TRACE, CALLERS_SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ERROR = 2


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with receiving() as receiver, housed(tmp_path_factory.mktemp("traced"), receiver) as one:
        yield one


def parents(spans: dict[str, ReceivedSpan]) -> dict[str, str]:
    names = {one.span_id: one.name for one in spans.values()}
    return {one.name: names.get(one.parent_id, "") for one in spans.values()}


def metadata(span: ReceivedSpan, name: str) -> Any:
    return json.loads(span.attributes[f"langfuse.observation.metadata.{name}"])


# --- what a reviewer sees ---------------------------------------------------------------------------


def test_answer_is_one_trace_whose_spans_lie_in_each_other_in_time_and_place(house: House) -> None:
    answer = house.ask(QUESTION, user="u-7", metadata={"team": "people"})
    spans = house.langfuse.trace(answer["rag"]["trace_id"])
    assert parents(spans) == {
        "answer": "",
        "guard": "answer",
        "cache": "answer",
        "retrieve": "answer",
        "embed": "retrieve",
        "bm25": "retrieve",
        "dense": "retrieve",
        "fuse": "retrieve",
        "assess": "answer",
        "generate": "answer",
        "verify": "answer",
    }
    assert {name: one.kind for name, one in spans.items() if one.kind != "span"} == {
        "answer": "chain",
        "guard": "guardrail",
        "retrieve": "retriever",
        "embed": "embedding",
        "bm25": "retriever",
        "dense": "retriever",
        "assess": "evaluator",
        "generate": "generation",
        "verify": "evaluator",
    }
    by_id = {one.span_id: one for one in house.langfuse.traces()[answer["rag"]["trace_id"]]}
    assert sum(one.name == "embed" for one in by_id.values()) == 2  # the question, and the sentences
    for one in by_id.values():
        assert one.began_ns <= one.ended_ns
        if one.parent_id:
            above = by_id[one.parent_id]
            assert above.began_ns <= one.began_ns
            assert one.ended_ns <= above.ended_ns


def test_root_bears_what_langfuse_documents(house: House) -> None:
    answer = house.ask(QUESTION, user="u-7", metadata={"team": "people"})
    root = house.langfuse.trace(answer["rag"]["trace_id"])["answer"].attributes
    rag = answer["rag"]
    assert root["langfuse.trace.name"] == "answer"
    assert root["user.id"] == "u-7"
    assert root["langfuse.release"] == rag["release"]
    assert root["langfuse.environment"] == "default"
    assert json.loads(root["langfuse.trace.metadata.team"]) == "people"
    assert json.loads(root["langfuse.observation.input"]) == {"question": QUESTION}
    shown = json.loads(root["langfuse.observation.output"])
    assert shown["answer"] == answer["choices"][0]["message"]["content"]
    assert [one["quote"] for one in shown["citations"]] == [one["quote"] for one in answer["citations"]]
    found = {name: json.loads(root[f"langfuse.observation.metadata.{name}"]) for name in ("p_supported", "refused")}
    assert found == {"p_supported": rag["p_supported"], "refused": False}
    assert json.loads(root["langfuse.observation.metadata.collection_version"]) == rag["collection_version"]
    assert root["langfuse.internal.is_app_root"] is True


def test_sdk_shows_its_key_and_sends_to_the_documented_paths(house: House) -> None:
    house.traced(QUESTION)
    house.langfuse.until(lambda: any(path == SCORES for path, _ in house.langfuse.requests))
    expected = "Basic " + base64.b64encode(b"pk-lf-test:sk-lf-test").decode()
    assert {path for path, _ in house.langfuse.requests} == {TRACES, SCORES}
    for path, headers in house.langfuse.requests:
        assert headers["authorization"] == expected
        if path == TRACES:
            assert headers["content-type"] == "application/x-protobuf"
            assert headers["x-langfuse-public-key"] == "pk-lf-test"
            assert headers["x-langfuse-ingestion-version"] == "4"


def test_retrieval_shows_its_passages_and_generation_its_tokens(house: House) -> None:
    spans = house.traced("How many days of leave do parents take in a year?")
    (first, *_) = spans["retrieve"].output()
    assert "20 days of leave" in first["page_content"]
    assert first["metadata"]["document_id"] == "leave.md"
    assert metadata(spans["retrieve"], "hits") == 2
    generation = spans["generate"].attributes
    assert generation["langfuse.observation.model.name"] == "extractive"
    usage = json.loads(generation["langfuse.observation.usage_details"])
    assert usage["total"] == usage["input"] + usage["output"] > 0
    first_words = datetime.fromisoformat(json.loads(generation["langfuse.observation.completion_start_time"]))
    ns = first_words.timestamp() * 1e9
    assert spans["generate"].began_ns - 1e6 <= ns <= spans["generate"].ended_ns + 1e6
    assert metadata(spans["verify"], "citations") >= 1


def test_scores_of_an_answer_reach_its_trace(house: House) -> None:
    answer = house.ask("Who is the harbour master?")
    trace_id = answer["rag"]["trace_id"]
    root = house.langfuse.trace(trace_id)["answer"]
    house.langfuse.until(lambda: sum(one["traceId"] == trace_id for one in house.langfuse.scores) == 3)
    scores = {one["name"]: one for one in house.langfuse.scores if one["traceId"] == trace_id}
    assert scores["p_supported"]["value"] == answer["rag"]["p_supported"]
    assert 0 < scores["groundedness"]["value"] <= 1
    assert (scores["refused"]["value"], scores["refused"]["dataType"]) == (0, "BOOLEAN")
    assert {one["observationId"] for one in scores.values()} == {root.span_id}


def test_refusal_is_a_trace_that_says_why_and_no_error(house: House) -> None:
    spans = house.traced("Which enzyme splits lactose in yeast?")
    assert "generate" not in spans
    assert metadata(spans["answer"], "refused") is True
    assert metadata(spans["answer"], "reason") in ("low_support", "no_evidence")
    assert spans["answer"].status != ERROR


def test_kept_answer_is_a_trace_of_its_own_with_a_hit_and_no_search(house: House) -> None:
    first, again = (house.ask("Is lunch free on Fridays?") for _ in range(2))
    assert first["rag"]["trace_id"] != again["rag"]["trace_id"]
    spans = house.langfuse.trace(again["rag"]["trace_id"])
    assert parents(spans) == {"answer": "", "guard": "answer", "cache": "answer"}
    assert metadata(spans["cache"], "outcome") == metadata(spans["answer"], "cache") == "hit"


def test_streamed_answer_is_traced_as_the_unstreamed_one(house: House) -> None:
    body = {"model": "ragstead", "stream": True, "messages": [{"role": "user", "content": "Which colour are badges?"}]}
    with httpx.stream("POST", f"{house.url}/v1/chat/completions", json=body, timeout=60) as response:
        events = [json.loads(line[6:]) for line in response.iter_lines() if line.startswith("data: {")]
    trace_id = events[-1]["rag"]["trace_id"]
    spans = house.langfuse.trace(trace_id)
    assert events[0]["id"] == f"chatcmpl-{trace_id}{spans['answer'].span_id}"
    content = "".join(one["choices"][0]["delta"].get("content") or "" for one in events)
    assert spans["answer"].output()["answer"] == content.replace("jane.roe@example.com", "<EMAIL>")
    assert parents(spans)["generate"] == parents(spans)["verify"] == "answer"
    assert spans["answer"].status != ERROR


def test_search_is_a_trace_of_its_own(house: House) -> None:
    headers = {"traceparent": f"00-{'5' * 32}-{CALLERS_SPAN}-00"}
    found = httpx.post(f"{house.url}/v1/search", json={"query": "harbour master"}, headers=headers)
    assert found.status_code == 200
    spans = house.langfuse.trace("5" * 32)
    assert spans["search"].parent_id == CALLERS_SPAN
    assert {name: parents(spans)[name] for name in ("embed", "bm25", "dense", "fuse")} == dict.fromkeys(
        ("embed", "bm25", "dense", "fuse"), "retrieve"
    )
    assert parents(spans)["retrieve"] == parents(spans)["guard"] == "search"
    assert spans["search"].kind == "retriever"
    assert spans["search"].output()[0]["metadata"]["filename"] == "leave.md"


def test_agents_steps_hold_their_searches(house: House) -> None:
    question = "How many days of leave do parents take, and who is the harbour master?"
    answer = house.ask(question, model="ragstead-agent")
    trace = answer["rag"]["trace_id"]
    house.langfuse.trace(trace)
    spans = house.langfuse.traces()[trace]
    by_id = {one.span_id: one for one in spans}
    root = next(one for one in spans if one.name == "answer")
    assert root.kind == "agent"
    steps = [one for one in spans if one.parent_id == root.span_id and one.name in ("plan", "search", "judge")]
    assert [one.name for one in sorted(steps, key=lambda one: one.began_ns)][:3] == ["plan", "search", "judge"]
    searches = [one for one in spans if one.name == "retrieve"]
    assert len(searches) >= 3  # the question and its two parts
    assert {by_id[one.parent_id].name for one in searches} == {"search"}


# --- whose trace it is ------------------------------------------------------------------------------


def test_callers_traceparent_is_taken_up(house: House) -> None:
    answer = house.ask(QUESTION, headers={"traceparent": f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01"})
    assert answer["rag"]["trace_id"] == CALLERS_TRACE
    assert house.langfuse.trace(CALLERS_TRACE)["answer"].parent_id == CALLERS_SPAN


@pytest.mark.parametrize(
    "header",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-{CALLERS_SPAN}-01",
        f"00-{CALLERS_TRACE}-{'0' * 16}-01",
        f"ff-{CALLERS_TRACE}-{CALLERS_SPAN}-01",
        f"00-{CALLERS_TRACE.upper()}-{CALLERS_SPAN}-01",
        f"00-{CALLERS_TRACE}-{CALLERS_SPAN}-01-more",
    ],
)
def test_traceparent_that_is_none_is_ignored(house: House, header: str) -> None:
    answer = house.ask(QUESTION, headers={"traceparent": header})
    assert answer["rag"]["trace_id"] != CALLERS_TRACE
    assert house.langfuse.trace(answer["rag"]["trace_id"])["answer"].parent_id == ""


def test_twenty_questions_at_once_do_not_mix(house: House) -> None:
    questions = [f"How many days of leave do parents take in office {n}?" for n in range(20)]

    def one(n: int) -> str:
        return str(house.ask(questions[n])["rag"]["trace_id"])

    with ThreadPoolExecutor(20) as pool:
        ids = list(pool.map(one, range(20)))
    assert len(set(ids)) == 20
    for n, trace_id in enumerate(ids):
        spans = house.langfuse.trace(trace_id)
        assert json.loads(spans["answer"].attributes["langfuse.observation.input"]) == {"question": questions[n]}
        asked = [one for one in house.langfuse.traces()[trace_id] if one.name in ("retrieve", "assess")]
        assert [one.attributes["langfuse.observation.input"] for one in asked] == [questions[n]] * 2
        ours = {one.span_id for one in house.langfuse.traces()[trace_id]}
        assert all(one.parent_id in ours | {""} for one in house.langfuse.traces()[trace_id])


# --- models -----------------------------------------------------------------------------------------


def test_models_answer_shows_prompt_words_and_tokens(tmp_path: Path) -> None:
    script = says("Parents take 20", " days of leave", " each year [1].")
    with receiving() as receiver, scripted(script) as model, housed(tmp_path, receiver, model.base_url) as house:
        spans = house.traced(QUESTION, temperature=0.2, max_tokens=50)
    assert parents(spans)["chat"] == parents(spans)["prompt"] == "generate"
    assert (spans["generate"].kind, spans["chat"].kind) == ("chain", "generation")
    chat = spans["chat"].attributes
    assert chat["langfuse.observation.model.name"] == "tiny"
    assert json.loads(chat["langfuse.observation.usage_details"]) == {"input": 11, "output": 7, "total": 18}
    assert json.loads(chat["langfuse.observation.model.parameters"]) == {"temperature": 0.2, "max_tokens": 50}
    assert "langfuse.observation.completion_start_time" in chat
    assert chat["langfuse.observation.output"] == "Parents take 20 days of leave each year [1]."
    sent = json.loads(json.dumps(model.asked[0]["messages"]).replace("jane.roe@example.com", "<EMAIL>"))
    assert json.loads(chat["langfuse.observation.input"]) == sent == spans["prompt"].output()
    assert "langfuse.observation.usage_details" not in spans["generate"].attributes  # or it would count twice


def test_model_that_is_down_is_an_error_of_its_own_span_and_a_warning_of_the_answers(tmp_path: Path) -> None:
    with receiving() as receiver, scripted(refuses(500)) as model, housed(tmp_path, receiver, model.base_url) as house:
        spans = house.traced(QUESTION)
    assert spans["chat"].status == ERROR
    assert spans["chat"].attributes["langfuse.observation.level"] == "ERROR"
    assert spans["chat"].attributes["langfuse.observation.status_message"].startswith("Unavailable")
    assert spans["generate"].attributes["langfuse.observation.level"] == "WARNING"
    assert "fallback: tiny is down" in spans["generate"].attributes["langfuse.observation.status_message"]
    assert spans["answer"].status != ERROR


def test_question_that_fails_is_a_trace_that_says_what_failed(house: House) -> None:
    body = {"model": "ragstead", "messages": [{"role": "user", "content": QUESTION}], "rag": {"collection": "nowhere"}}
    headers = {"traceparent": f"00-{'6' * 32}-{CALLERS_SPAN}-01"}
    assert httpx.post(f"{house.url}/v1/chat/completions", json=body, headers=headers).status_code == 404
    root = house.langfuse.trace("6" * 32)["answer"]
    assert root.status == ERROR
    assert "NotFound" in root.attributes["langfuse.observation.status_message"]


def test_client_that_hangs_up_ends_its_trace_which_says_so(tmp_path: Path) -> None:
    slowly: list[Step] = [HEAD, event("Parents take 20 days of leave each year [1]. "), event("And then"), 20.0]
    with receiving() as receiver, scripted(slowly) as model, housed(tmp_path, receiver, model.base_url) as house:
        body = {"model": "ragstead", "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
        headers = {"traceparent": f"00-{'7' * 32}-{CALLERS_SPAN}-01"}
        url = f"{house.url}/v1/chat/completions"
        with httpx.stream("POST", url, json=body, headers=headers, timeout=60) as response:
            lines = response.iter_lines()
            while "20 days" not in next(lines):
                pass
        spans = receiver.trace("7" * 32)
    assert spans["answer"].attributes["langfuse.observation.status_message"].startswith("cancelled")
    assert spans["answer"].attributes["langfuse.observation.level"] == "WARNING"
    assert spans["chat"].attributes["langfuse.observation.output"].startswith("Parents take 20 days")
    assert parents(spans)["chat"] == "generate"


# --- conversations ----------------------------------------------------------------------------------


def test_follow_up_shows_what_was_searched_for_it(house: House) -> None:
    messages = [
        {"role": "user", "content": "Is lunch free on Mondays?"},
        {"role": "assistant", "content": "Lunch is free on Fridays [1]."},
        {"role": "user", "content": "And on Fridays?"},
    ]
    answer = house.ask("", messages=messages)
    spans = house.langfuse.trace(answer["rag"]["trace_id"])
    condense = spans["condense"].attributes
    assert parents(spans)["condense"] == "answer"
    assert condense["langfuse.observation.input"] == "And on Fridays?"
    assert condense["langfuse.observation.output"] == answer["rag"]["question"]
    assert metadata(spans["condense"], "by") == "rules"
    assert json.loads(spans["answer"].attributes["langfuse.observation.input"]) == {"question": messages[-1]["content"]}


@pytest.mark.parametrize(("contents", "there"), [("sent", False), ("all", True)])
def test_kept_conversation_is_a_session_whose_words_stay_here_unless_told_otherwise(
    tmp_path: Path, contents: str, *, there: bool
) -> None:
    with receiving() as receiver, housed(tmp_path, receiver, contents=contents) as house:
        kept = httpx.post(f"{house.url}/v1/conversations", json={}).json()["id"]
        spans = house.traced(QUESTION, rag={"conversation_id": kept})
        everything = b"".join(receiver.bodies)
    assert {one.attributes["session.id"] for one in spans.values()} == {kept}
    assert (QUESTION.encode() in everything) is there
    assert (b"20 days of leave" in everything) is there
    assert "recall" in spans


# --- what leaves the house --------------------------------------------------------------------------


def test_without_contents_no_word_of_question_passage_or_answer_leaves(tmp_path: Path) -> None:
    script = says("Parents take 20 days of leave each year [1].")
    with (
        receiving() as receiver,
        scripted(script) as model,
        housed(tmp_path, receiver, model.base_url, contents="none") as house,
    ):
        answer = house.ask(QUESTION, metadata={"note": "days of leave"})
        spans = receiver.trace(answer["rag"]["trace_id"])
        given = {"response_id": answer["id"], "score": 0.5, "comment": "days of leave"}
        assert httpx.post(f"{house.url}/v1/feedback", json=given).status_code == 200
        house.ask("Which parents?", rag={"filter": {"type": "eq", "key": "parents", "value": "leave"}})
        receiver.until(lambda: any(one["name"] == "feedback" for one in receiver.scores))
        everything = b"".join(receiver.bodies).lower()
    for word in (b"parents", b"20 days", b"harbour", b"of leave"):
        assert word not in everything
    assert json.loads(spans["answer"].attributes["langfuse.observation.input"]) == {"chars": len(QUESTION)}
    assert metadata(spans["retrieve"], "hits") == 2


def test_personal_data_leaves_in_no_byte(house: House) -> None:
    before = len(house.langfuse.bodies)
    asked = house.ask(
        "I am john.doe@example.com, +44 20 7946 0958: where do I get a badge?", user="john.doe@example.com"
    )
    spans = house.langfuse.trace(asked["rag"]["trace_id"])
    everything = b"".join(house.langfuse.bodies[before:])
    for secret in (b"john.doe", b"jane.roe", b"7946 0958", b"79460958"):
        assert secret not in everything
    question = json.loads(spans["answer"].attributes["langfuse.observation.input"])["question"]
    assert question.startswith("I am <")
    assert spans["answer"].attributes["user.id"].startswith("user-")


def test_hostile_text_is_traced_and_huge_text_is_cut(house: House) -> None:
    asked = house.ask("nul \x00 and much " + "leave " * 1300)
    shown = json.loads(
        house.langfuse.trace(asked["rag"]["trace_id"])["answer"].attributes["langfuse.observation.input"]
    )
    assert "\x00" not in shown["question"]
    assert shown["question"].startswith("nul \ufffd and")


# --- feedback ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "data_type", "value"),
    [(True, "BOOLEAN", 1), (False, "BOOLEAN", 0), (-1, "NUMERIC", -1), (0.5, "NUMERIC", 0.5)],
)
def test_feedback_becomes_a_score_of_the_answers_trace(
    house: House, score: float, data_type: str, value: float
) -> None:
    answer = house.ask(QUESTION)
    given = {"response_id": answer["id"], "score": score, "comment": "says jane.roe@example.com"}
    told = httpx.post(f"{house.url}/v1/feedback", json=given).json()
    assert told["trace_id"] == answer["rag"]["trace_id"]
    assert told["kept_by"] == ["langfuse"]

    def mine() -> list[dict[str, Any]]:
        scores = list(house.langfuse.scores)
        return [one for one in scores if one["traceId"] == told["trace_id"] and one["name"] == "feedback"]

    house.langfuse.until(lambda: bool(mine()))
    (kept,) = mine()
    assert (kept["value"], kept["dataType"], kept["comment"]) == (value, data_type, "says <EMAIL>")
    assert kept["observationId"] == house.langfuse.trace(told["trace_id"])["answer"].span_id


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"response_id": "chatcmpl-nope", "score": 1}, 404),
        ({"response_id": "0" * 32, "score": 1}, 404),
        ({"response_id": "", "score": 1}, 400),
        ({"response_id": CALLERS_TRACE, "score": 2}, 400),
        ({"response_id": CALLERS_TRACE, "score": "good"}, 400),
        ({"response_id": CALLERS_TRACE}, 400),
        ({"response_id": CALLERS_TRACE, "score": 1, "comment": "x" * 4001}, 400),
        ({"response_id": CALLERS_TRACE, "score": 1, "mood": "fine"}, 400),
        ({"response_id": CALLERS_TRACE, "score": 1}, 200),
    ],
)
def test_feedback_that_is_off_is_refused_by_name(house: House, body: dict[str, Any], status: int) -> None:
    answer = httpx.post(f"{house.url}/v1/feedback", json=body)
    assert answer.status_code == status, answer.text


def test_feedback_where_nothing_keeps_traces_is_a_conflict_and_no_lie(tmp_path: Path) -> None:
    settings = load_settings(None, data_dir=tmp_path / "data", environ={})
    with serving_platform(settings, {}) as url:
        answer = httpx.post(f"{url}/v1/feedback", json={"response_id": CALLERS_TRACE, "score": 1})
    assert answer.status_code == 409
    assert "deployment.tracing" in answer.json()["error"]["message"]
