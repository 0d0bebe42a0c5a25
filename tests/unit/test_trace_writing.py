"""What may leave the house: redacted, plain, cut, and nothing at all of contents where they are not to be kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.guardrails.pii import redact
from ragstead.ports.tracer import Content, Kind, Score, Span, TraceContext
from ragstead.tracing import Writer, WritingRules, begin_trace, ended, read_traceparent, response_id, trace_of_response

WORDS = st.text(st.characters(exclude_categories=()), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=10,
)


def spanned(content: Content, **more: Any) -> Span:
    top = begin_trace(TraceContext(**more), "answer", Kind.CHAIN)
    top.input = content
    return ended(top)


def written(content: Content, **rules: Any) -> str:
    return Writer(WritingRules(**rules)).trace(spanned(content).trace).spans[0].input


@given(JSON)
def test_any_content_becomes_text_that_any_backend_can_hold(content: Any) -> None:
    text = written(content)
    text.encode("utf-8")
    assert "\x00" not in text
    if not isinstance(content, str) and content is not None:
        json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))


@given(st.text(min_size=1, max_size=400))
def test_text_within_the_limit_stays_as_it_is(text: str) -> None:
    assert written(text, max_chars=400) == text.replace("\x00", "\ufffd")


def test_lone_surrogate_is_replaced_and_nul_too() -> None:
    assert written("a\ud800b\x00c") == "a?b\ufffdc"


def test_huge_text_is_cut_with_a_mark() -> None:
    assert written("x" * 1_000_000, max_chars=100) == "x" * 100 + "… [cut: 1000000 characters]"


def test_long_list_is_cut_with_a_mark() -> None:
    shown = json.loads(written(list(range(500))))
    assert (len(shown), shown[-1]) == (201, "… [cut: 500 items]")


def test_numbers_that_json_does_not_know_are_null_or_text() -> None:
    content = {"huge": 1 << 70, "least": -(1 << 63), "scores": [float("nan"), float("inf"), 0.5, -(1 << 64)]}
    known = {"huge": str(1 << 70), "least": -(1 << 63), "scores": [None, None, 0.5, str(-(1 << 64))]}
    assert json.loads(written(content)) == known


def test_personal_data_at_the_cut_does_not_slip_through() -> None:
    text = "x" * 90 + " jane.roe@example.com is the one"
    assert "jane" not in written(text, max_chars=100, redact=redact)


def test_redaction_reaches_every_leaf_and_leaves_ids_alone() -> None:
    content = {"a": ["mail jane@example.com"], "chunk_id": "a:3:9", "id": "jane@example.com"}
    assert json.loads(written(content, redact=redact)) == {**content, "a": ["mail <EMAIL>"]}


def test_content_that_is_a_function_is_called_when_the_trace_is_written() -> None:
    calls: list[int] = []
    top = spanned(lambda: calls.append(1) or "later")  # type: ignore[func-returns-value]
    assert calls == []
    assert Writer(WritingRules()).trace(top.trace).spans[0].input == "later"


def test_without_contents_only_lengths_are_written() -> None:
    top = spanned({"question": "secret", "more": ["x", "yz"]}, metadata={"note": "secret"})
    top.error, top.message, top.output = "NotFound", "no secret", "secret"
    top.facts = {"hits": 3}
    trace = Writer(WritingRules(contents=False)).trace(top.trace)
    (one,) = trace.spans
    assert (one.input, one.output, one.error) == ('{"chars": 9}', '{"chars": 6}', "NotFound")
    assert (dict(one.facts), dict(trace.metadata)) == ({"hits": 3}, {"note": ""})
    assert Writer(WritingRules(contents=False)).score(Score("1" * 32, "feedback", 1, comment="secret")).comment == ""


@pytest.mark.parametrize(("private", "shown"), [(False, '{"chars": 6}'), (True, "secret")])
def test_kept_conversation_is_written_only_where_that_is_asked_for(shown: str, *, private: bool) -> None:
    top = spanned("secret")
    top.trace.private = True
    assert Writer(WritingRules(private=private)).trace(top.trace).spans[0].input == shown


def test_user_whose_name_is_an_address_becomes_an_id_that_stays_the_same() -> None:
    writer = Writer(WritingRules(redact=redact))
    users = [writer.trace(spanned("", user=name).trace).user for name in ("jane@example.com", "jane@example.com", "u7")]
    assert users[0] == users[1] != users[2]
    assert users[0].startswith("user-")
    assert users[2] == "u7"


def test_span_that_has_not_ended_is_left_out() -> None:
    top = spanned("")
    top.trace.spans.append(Span("copy", Kind.SPAN, top.span_id, top.trace))
    assert [one.name for one in Writer(WritingRules()).trace(top.trace).spans] == ["answer"]


# --- names of traces --------------------------------------------------------------------------------


def test_traceparent_of_the_standards_example_is_taken_up() -> None:
    context = read_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    assert (context.trace_id, context.parent_id) == ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331")
    assert context.span_id not in ("", context.parent_id)


def test_later_version_may_have_more_behind_what_is_known() -> None:
    assert read_traceparent(f"01-{'a' * 32}-{'b' * 16}-01-more").trace_id == "a" * 32


@given(st.text(max_size=80))
def test_any_other_header_begins_a_new_trace(header: str) -> None:
    context = read_traceparent(header)
    assert len(context.trace_id) == 32
    assert context.parent_id == "" or header.strip()[3:35] == context.trace_id


def test_response_says_which_trace_it_is_of_and_no_two_say_the_same() -> None:
    one, other = (TraceContext("a" * 32) for _ in range(2))
    assert response_id(one) != response_id(other)
    assert trace_of_response(response_id(one)) == ("a" * 32, one.span_id)
    assert trace_of_response("a" * 32) == ("a" * 32, "")


@pytest.mark.parametrize("given", ["", "chatcmpl-", "chatcmpl-nope", "0" * 32, "a" * 31, "a" * 33, "a" * 49, "A" * 32])
def test_id_that_is_none_of_ours_is_of_no_trace(given: str) -> None:
    assert trace_of_response(given) is None
