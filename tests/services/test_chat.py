from __future__ import annotations

import json
from typing import Any

import pytest

from ragstead.errors import Overloaded, Unavailable

CHAT = "/v1/chat/completions"


def ask(content: object = "how many days of leave", **more: Any) -> dict[str, Any]:
    return {
        "model": "ragstead",
        "messages": [{"role": "user", "content": content}],
        "rag": {"collection": "handbook"},
    } | more


def events(text: str) -> list[Any]:
    assert text.endswith("data: [DONE]\n\n")
    return [json.loads(line.removeprefix("data: ")) for line in text.split("\n\n")[:-2]]


def test_answer_carries_citations_annotations_and_receipt(call, handbook):
    answer = call("POST", CHAT, json=ask())
    body = answer.json()
    assert answer.status_code == 200
    message, citation = body["choices"][0]["message"], body["citations"][0]
    assert body["object"] == "chat.completion"
    assert message["role"] == "assistant"
    assert message["content"][citation["start"] : citation["end"]] == citation["quote"]
    assert message["annotations"] == [
        {"type": "file_citation", "file_id": citation["file_id"], "filename": "leave.md.txt",
         "index": message["content"].index("[1]")}
    ]  # fmt: skip
    assert set(citation) == {
        "n", "start", "end", "document_id", "file_id", "chunk_id", "filename", "page", "quote", "quote_start",
        "quote_end", "score", "verdict",
    }  # fmt: skip
    assert {"refused", "reason", "p_supported", "release", "collection_version", "trace_id", "cache", "model",
            "cost_usd", "timings_ms"} <= set(body["rag"])  # fmt: skip
    assert body["rag"]["refused"] is False
    assert body["usage"] == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}


def test_stream_begins_with_the_role_and_ends_with_what_the_unstreamed_answer_has(call, handbook):
    whole = call("POST", CHAT, json=ask()).json()
    streamed = call("POST", CHAT, json=ask(stream=True))
    assert streamed.headers["content-type"] == "text/event-stream; charset=utf-8"
    chunks = events(streamed.text)
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == whole["choices"][0]["message"]["content"]
    assert len(chunks) > 4
    assert all(chunk["choices"][0]["finish_reason"] is None for chunk in chunks[:-1])
    assert not any("citations" in chunk or "rag" in chunk or "usage" in chunk for chunk in chunks[:-1])
    last = chunks[-1]
    assert last["choices"][0]["finish_reason"] == "stop"
    assert last["choices"][0]["delta"] == {"annotations": whole["choices"][0]["message"]["annotations"]}
    assert (last["citations"], last["rag"]) == (whole["citations"], whole["rag"])
    assert "usage" not in last
    assert len({chunk["id"] for chunk in chunks}) == 1


def test_stream_with_usage_has_it_on_the_last_chunk_and_null_before(call, handbook):
    chunks = events(call("POST", CHAT, json=ask(stream=True, stream_options={"include_usage": True})).text)
    assert chunks[-1]["usage"]["total_tokens"] == 0
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    assert chunks[-1]["citations"]


def test_refusal_is_a_success_without_citations(call, handbook):
    body = call("POST", CHAT, json=ask("xylophone")).json()
    assert (body["rag"]["refused"], body["rag"]["reason"], body["citations"]) == (True, "no_evidence", [])


def test_parameters_of_every_generator_are_passed_on_and_max_completion_tokens_wins(call, handbook, platform):
    more = {
        "temperature": 0, "top_p": 0.5, "seed": 7, "max_tokens": 5, "max_completion_tokens": 9, "stop": ["a", "b"],
        "user": "me", "metadata": {"a": "b"}, "frequency_penalty": 1, "presence_penalty": -1, "n": 1, "tools": [],
        "response_format": {"type": "text"}, "logprobs": False, "tool_choice": "none",
    }  # fmt: skip
    assert call("POST", CHAT, json=ask(**more)).status_code == 200
    sampling = platform.answerer.asked[0].sampling
    assert (sampling.temperature, sampling.seed, sampling.max_tokens, sampling.stop) == (0.0, 7, 9, ("a", "b"))
    assert call("POST", CHAT, json=ask(stop="x", max_tokens=3)).status_code == 200
    sampling = platform.answerer.asked[1].sampling
    assert (sampling.stop, sampling.max_tokens) == (("x",), 3)


def test_conversation_is_passed_on_with_developer_as_system_and_parts_joined(call, handbook, platform):
    messages = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "hi", "refusal": None, "annotations": []},
        {"role": "user", "content": [{"type": "text", "text": "days of"}, {"type": "text", "text": "leave"}]},
    ]
    assert call("POST", CHAT, json=ask() | {"messages": messages}).status_code == 200
    asked = platform.answerer.asked[0]
    assert [m.role for m in asked.messages] == ["system", "user", "assistant", "user"]
    assert asked.question == "days of\nleave"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"wrong": 1}, "wrong"),
        ({"stream": "yes"}, "stream"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ["a", ""]}, "stop[1]"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "boss", "content": "a"}]}, "messages[0].role"),
        ({"messages": [{"role": "assistant", "content": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "a", "tool_call_id": "x"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": " "}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x" * 8001}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content[0].type"),
        ({"rag": {"k": 0}}, "rag.k"),
        ({"rag": {"strategy": "magic"}}, "rag.strategy"),
        ({"rag": {"colection": "x"}}, "rag.colection"),
        ({"rag": {"filter": {"type": "eq", "key": "a"}}}, "rag.filter.value"),
        ({"rag": {"filter": {"type": "like", "key": "a", "value": 1}}}, "rag.filter.type"),
    ],
)  # fmt: skip
def test_what_can_not_be_done_is_a_400_that_names_its_field(call, handbook, more, param):
    answer = call("POST", CHAT, json=ask(**more))
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["type"], error["param"]) == ("invalid_request_error", param)


def test_template_is_passed_on(call, handbook, platform):
    call("POST", CHAT, json=ask(rag={"collection": "handbook", "template": "summary"}))
    assert platform.answerer.asked[0].template == "summary"


@pytest.mark.parametrize("stream", [False, True])
def test_unknown_model_and_collection_are_404_streamed_or_not(call, handbook, stream):
    answer = call("POST", CHAT, json=ask(model="gpt-9", stream=stream))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert answer.json()["error"]["param"] == "model"
    answer = call("POST", CHAT, json=ask(rag={"collection": "nowhere"}, stream=stream))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "collection_not_found")


@pytest.mark.parametrize("stream", [False, True])
def test_errors_before_the_first_piece_keep_their_status_and_retry_after(call, handbook, platform, stream):
    platform.answerer.error = Overloaded("full", retry_after_s=2.3)
    answer = call("POST", CHAT, json=ask(stream=stream))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    platform.answerer.error = Unavailable("vectors", "the vector store is down")
    answer = call("POST", CHAT, json=ask(stream=stream))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


def test_error_in_mid_stream_is_the_last_event_and_nothing_says_done(call, handbook, platform):
    platform.answerer.error, platform.answerer.error_after = Unavailable("vectors", "it went down"), 2
    answer = call("POST", CHAT, json=ask(stream=True))
    assert answer.status_code == 200
    assert "[DONE]" not in answer.text
    last = json.loads(answer.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["message"] == "it went down"


def test_unforeseen_error_leaks_nothing_streamed_or_not(call, handbook, platform, caplog):
    platform.answerer.error = ZeroDivisionError("secret detail")
    answer = call("POST", CHAT, json=ask(), headers={"x-request-id": "my-id"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "my-id" in answer.json()["error"]["message"]
    assert "my-id" in caplog.text
    assert "secret detail" in caplog.text
    platform.answerer.error_after = 1
    answer = call("POST", CHAT, json=ask(stream=True))
    last = json.loads(answer.text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "internal_error"
    assert "secret" not in answer.text


def test_models_are_listed_with_their_capabilities(call):
    listed = call("GET", "/v1/models").json()
    assert [model["id"] for model in listed["data"]][:3] == ["ragstead", "ragstead-agent", "all-MiniLM-L6-v2"]
    assert call("GET", "/v1/models/ragstead").json() == listed["data"][0]
    assert listed["data"][0]["capabilities"]["tools"] is False
    assert call("GET", "/v1/models/none").json()["error"]["code"] == "model_not_found"


def test_answers_are_counted_by_outcome(call, handbook):
    call("POST", CHAT, json=ask())
    call("POST", CHAT, json=ask("xylophone", stream=True))
    text = call("GET", "/metrics").text
    assert 'ragstead_answers_total{outcome="answered"} 1.0' in text
    assert 'ragstead_answers_total{outcome="no_evidence"} 1.0' in text
