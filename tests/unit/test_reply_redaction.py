"""Personal data out of a bare model's reply: events as they came but for those that hold some, in order, none lost."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

import pytest

from ragstead.guardrails.pii import PiiKind, redact
from ragstead.pipelines.reply_redaction import RedactedReply, ReplyPolicy, is_for_programs
from services.scripted_model import DONE

ASKED = {"messages": [{"role": "user", "content": "Who is it?"}]}
ALL = ReplyPolicy("all")
ADDRESS = "jane.roe@example.com"


def event(text: str | None = None, choice: int = 0, finish: str | None = None, **more: Any) -> bytes:
    delta = {} if text is None else {"content": text}
    choices = [{"index": choice, "delta": {**delta, **more}, "finish_reason": finish}]
    view = {"id": "chatcmpl-9", "created": 1760000000, "choices": choices}
    return f"data: {json.dumps(view, ensure_ascii=False)}\n\n".encode()


def passed(events: Sequence[bytes], policy: ReplyPolicy = ALL, **more: Any) -> list[bytes]:
    """What comes out for each chunk that goes in, and at the end."""
    reply = RedactedReply(policy, {**ASKED, **more})
    return [*(reply.events(one) for one in events), reply.flush()]


def said(data: bytes, choice: int = 0) -> str:
    views = [json.loads(one[6:]) for one in data.decode().split("\n\n") if one.startswith("data: {")]
    return "".join(
        one["delta"].get("content") or "" for view in views for one in view["choices"] if one["index"] == choice
    )


def words(text: str) -> list[bytes]:
    first, *others = text.split(" ")
    return [event(""), event(first), *(event(f" {one}") for one in others), event(finish="stop"), DONE]


def test_words_without_personal_data_are_passed_on_byte_by_byte_and_the_first_at_once() -> None:
    events = words("The tide turns at noon, and 27 boats come home on 12 May.")
    out = passed(events)
    assert b"".join(out) == b"".join(events)
    assert out[:2] == events[:2]
    assert out[2] == b""
    assert out[3] == events[2]


@pytest.mark.parametrize("together", [1, 3, 100])
def test_address_over_several_events_leaves_none_of_its_parts(together: int) -> None:
    pieces = ["Write to", " jane", ".", "roe", "@exam", "ple.", "com", ", or to", " nobody", "."]
    events = [*map(event, pieces), event(finish="stop"), DONE]
    chunks = [b"".join(events[n : n + together]) for n in range(0, len(events), together)]
    out = b"".join(passed(chunks))
    assert said(out) == "Write to <EMAIL>, or to nobody."
    assert out.count(b"\n\n") == len(events)
    assert b"roe" not in out


def test_any_cut_gives_the_redacted_text() -> None:
    text = f'He wrote {ADDRESS}\nand "780-999-2181" to us. After that 5 more came, from 10.0.0.1 too, I think.'
    for seed in range(100):
        chance, events, rest = random.Random(seed), [event("")], text
        while rest:
            length = chance.randint(1, 9)
            events.append(event(rest[:length]))
            rest = rest[length:]
        events += [event(finish="stop"), DONE]
        out = b"".join(passed([b"".join(events[n : n + 2]) for n in range(0, len(events), 2)]))
        assert said(out) == redact(text)
        assert out.count(b"\n\n") == len(events)


def test_answer_that_begins_with_an_address_shows_letters_of_its_name_at_most() -> None:
    out = b"".join(passed([event("jane"), event(".roe@example.com"), event(finish="stop"), DONE]))
    assert said(out) == "jane<EMAIL>"


def test_what_stands_in_the_request_may_be_said_again_and_nothing_else() -> None:
    messages = [{"role": "system", "content": [{"type": "text", "text": f"I am {ADDRESS}."}]}]
    events = words(f"Ask {ADDRESS} or joe@example.org now.")
    assert said(b"".join(passed(events, ReplyPolicy("leaked"), messages=messages))) == f"Ask {ADDRESS} or <EMAIL> now."


def test_kinds_that_do_not_count_are_passed_on() -> None:
    events = words(f"Ask {ADDRESS} or 780-999-2181 now.")
    out = b"".join(passed(events, ReplyPolicy("all", frozenset({PiiKind.PHONE}))))
    assert said(out) == f"Ask {ADDRESS} or <PHONE> now."
    names = b"".join(passed(words("See www.example.com for it."), ReplyPolicy("all", frozenset({PiiKind.DOMAIN}))))
    assert said(names) == "See <DOMAIN> for it."


def test_choices_have_texts_of_their_own() -> None:
    events = [event("a@", 0), event("c@", 1), event("b.com", 0), event("d.org", 1)]
    ends = [event(None, 0, "stop"), event(None, 1, "stop"), DONE]
    out = b"".join(passed([*events, *ends], n=2))
    assert (said(out, 0), said(out, 1)) == ("<EMAIL>", "<EMAIL>")
    assert out.count(b"\n\n") == len(events) + len(ends)


def test_calls_of_tools_are_left_as_they_are_and_keep_their_place() -> None:
    call = [{"index": 0, "id": "c", "function": {"name": "mail", "arguments": json.dumps({"to": ADDRESS})}}]
    events = [event("I mail"), event(" her"), event(tool_calls=call), event(finish="tool_calls"), DONE]
    assert b"".join(passed(events)) == b"".join(events)


def test_tokens_of_what_was_taken_out_go_too() -> None:
    view = {"choices": [{"index": 0, "message": {"content": ADDRESS}, "logprobs": {"content": [{"token": "jane"}]}}]}
    out = json.loads(RedactedReply(ALL, ASKED).whole(json.dumps(view).encode()))
    assert out["choices"][0] == {"index": 0, "message": {"content": "<EMAIL>"}, "logprobs": None}


def test_whole_reply_without_personal_data_keeps_its_bytes_and_one_that_is_no_json_too() -> None:
    for body in (b'{"choices": [ {"message": {"content": "27 boats"}}]}', b'"content": "a@b.com"', b""):
        assert RedactedReply(ALL, ASKED).whole(body) == body


def test_reasoning_is_redacted_like_the_answer() -> None:
    events = [event(reasoning_content="ask "), event(reasoning_content=f"{ADDRESS} "), event("Done."), DONE]
    out = b"".join(passed(events))
    assert b"jane" not in out
    assert b"ask " in out


@pytest.mark.parametrize("together", range(1, 10))
def test_address_behind_reasoning_is_taken_out_however_the_events_come_together(together: int) -> None:
    thought = [event(reasoning_content=one) for one in ("step ", "7 ", "so")]
    events = [*thought, *map(event, ("Mail ", ADDRESS, " now ", "and ")), event(finish="stop"), DONE]
    out = b"".join(passed([b"".join(events[n : n + together]) for n in range(0, len(events), together)]))
    assert said(out) == "Mail <EMAIL> now and "
    assert out.count(b"\n\n") == len(events)


def test_event_that_waits_for_one_of_its_words_goes_without_the_address_in_the_others() -> None:
    both = event("so", reasoning_content=f"ask {ADDRESS} about ")
    out = b"".join(passed([event("7 "), both, event(finish="stop"), DONE]))
    assert b"jane" not in out
    assert b"<EMAIL>" in out


@pytest.mark.parametrize("last", ["is 42", "is it"])
def test_words_of_the_answer_do_not_wait_for_reasoning_that_ended_without_a_gap(last: str) -> None:
    events = [event(reasoning_content="This "), event(reasoning_content=last), event("All "), event("of them ")]
    out = passed([*events, event("go"), event(finish="stop"), DONE])
    assert b"".join(out[:4]) == b"".join(events)


@pytest.mark.parametrize("last", ["at 7.", "that up."])
def test_calls_of_tools_do_not_wait_for_words_before_them_that_ended_without_a_gap(last: str) -> None:
    calls = [event(tool_calls=[{"index": 0, "function": {"arguments": one}}]) for one in ("{", "}")]
    events = [event("I look "), event(last), *calls]
    out = passed([*events, event(finish="tool_calls"), DONE])
    assert b"".join(out[:3]) == b"".join(events[:3])
    assert out[3] == events[3]


def test_mark_of_the_end_among_the_words_ends_nothing() -> None:
    events = [event("Then "), event("[DONE] jane"), event(".roe@example.com "), event(finish="stop"), DONE]
    assert said(b"".join(passed(events))) == "Then [DONE] <EMAIL> "


def test_stream_that_breaks_off_gives_what_waited_without_the_address() -> None:
    assert said(b"".join(passed([event("To "), event("jane.roe@example.com")]))) == "To <EMAIL>"


def test_forms_for_programs_are_told_apart() -> None:
    assert is_for_programs({"response_format": {"type": "json_object"}})
    assert not is_for_programs({"response_format": {"type": "text"}})
    assert not is_for_programs({})
