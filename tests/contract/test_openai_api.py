"""The chat adapter against a server whose every byte is scripted: answers, faults, patience, and hanging up."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from pathlib import Path

import pytest

from ragstead.adapters.openai_api import ChatEndpoint, OpenAiChatModel, transcript
from ragstead.errors import InvalidRequest, Overloaded, RagsteadError, Unavailable
from ragstead.ports.chat_model import ChatRequest
from ragstead.ports.generator import Message, Piece, Sampling
from services.scripted_model import DONE, HEAD, Step, event, refuses, says, scripted

CONVERSATION = (Message("system", "Be brief."), Message("user", "When does the tide turn?"))
QUICK = {"connect_s": 1.0, "first_token_s": 0.4, "between_tokens_s": 0.2, "total_s": 1.0, "retries": 0}


def chat(base_url: str, sampling: Sampling | None = None, **words: object) -> list[Piece]:
    async def run() -> list[Piece]:
        model = OpenAiChatModel(ChatEndpoint(base_url, "tiny", **{**QUICK, **words}))
        try:
            return [piece async for piece in model.chat(ChatRequest(CONVERSATION, sampling or Sampling()))]
        finally:
            await model.close()

    return asyncio.run(run())


def text_of(pieces: list[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def test_answer_comes_in_pieces_and_ends_with_the_usage() -> None:
    with scripted(says("The tide ", "turns at noon [1].", finish="length")) as server:
        pieces = chat(server.base_url, Sampling(temperature=0.5, max_tokens=9, stop=("###",), seed=3), api_key="k-1")
    assert [piece.text for piece in pieces] == ["The tide ", "turns at noon [1].", ""]
    assert pieces[-1] == Piece("", finish_reason="length", prompt_tokens=11, completion_tokens=7)
    assert all(piece.finish_reason is None for piece in pieces[:-1])
    (asked,) = server.asked
    assert asked["messages"] == [{"role": one.role, "content": one.content} for one in CONVERSATION]
    assert (asked["model"], asked["stream"], asked["stream_options"]) == ("tiny", True, {"include_usage": True})
    assert (asked["temperature"], asked["max_tokens"], asked["stop"], asked["seed"]) == (0.5, 9, ["###"], 3)
    assert "top_p" not in asked
    assert server.paths == ["/v1/chat/completions"]
    assert "authorization: bearer k-1" in server.headers[0].lower()


def test_base_model_is_asked_with_a_transcript_that_stops_at_the_next_turn() -> None:
    with scripted(says(" At noon.")) as server:
        assert text_of(chat(server.base_url, api="completions")) == " At noon."
    assert server.paths == ["/v1/completions"]
    assert server.asked[0]["prompt"] == "Be brief.\n\nUser: When does the tide turn?\n\nAssistant:"
    assert server.asked[0]["stop"] == ["\nUser:"]
    assert transcript([Message("user", "a"), Message("assistant", "b")]) == "User: a\n\nAssistant: b\n\nAssistant:"


def test_lines_may_be_cut_anywhere_and_comments_are_passed_over() -> None:
    whole = b": ping\n\nevent: x\n" + event("Größe ") + event("😀") + event(finish="stop") + DONE
    pieces: list[Step] = [HEAD, *(whole[i : i + 3] for i in range(0, len(whole), 3))]
    with scripted(pieces) as server:
        assert text_of(chat(server.base_url)) == "Größe 😀"


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        (refuses(500), Unavailable, "answered 500: no"),
        (refuses(503), Unavailable, "503"),
        (refuses(401), Unavailable, "look at its api_key"),
        (refuses(404), Unavailable, "has it the model 'tiny'"),
        (refuses(429, "busy", "Retry-After: 7"), Overloaded, "429: busy"),
        (refuses(400, "maximum context length is 64 tokens"), InvalidRequest, "maximum context length"),
        ([b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n<html"], Unavailable, "broke off"),
        ([b"nonsense\r\n\r\n"], Unavailable, "can't be reached"),
        (["abort"], Unavailable, "can't be reached"),
        ([HEAD, event("The tide ")], Unavailable, "broke off in the middle"),
        ([HEAD, event("The tide "), "abort"], Unavailable, "broke off"),
        ([HEAD, event("The tide ")[:20], "abort"], Unavailable, "broke off|no JSON"),
        ([HEAD, b"data: {not json}\n\n"], Unavailable, "no JSON"),
        ([HEAD, b"data: [1]\n\n"], Unavailable, "no object"),
        ([HEAD, b'data: {"choices": [{"delta": {"content": 3}}]}\n\n'], Unavailable, "for words"),
        ([HEAD, b'data: {"choices": [3]}\n\n'], Unavailable, "none of a completion"),
        ([HEAD, b'data: {"error": {"message": "out of memory"}}\n\n'], Unavailable, "out of memory"),
        ([HEAD, event("a"), DONE], Unavailable, "broke off in the middle"),
        ([5.0], Unavailable, "silent for 0.4 s"),
        ([HEAD, 5.0], Unavailable, "silent for 0.4 s"),
        ([HEAD, event("a"), 5.0], Unavailable, "silent for 0.2 s"),
        (
            [HEAD, *[step for _ in range(40) for step in (event("a"), 0.1)]],
            Unavailable,
            "done after 1 s|silent for 0.0",
        ),
        ([HEAD, b"data: " + b"x" * 1_100_000 + b"\n"], Unavailable, "without end"),
    ],
)
def test_faults_are_said_in_our_errors(script: list[Step], error: type[RagsteadError], words: str) -> None:
    began = time.monotonic()
    with scripted(script) as server, pytest.raises(error, match=words) as caught:
        chat(server.base_url)
    assert time.monotonic() - began < 3
    assert not isinstance(caught.value, Overloaded) or caught.value.retry_after_s == 7


def test_server_that_is_gone_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="can't be reached"):
        chat("http://127.0.0.1:9/v1")


def test_server_is_asked_through_the_environments_proxy_but_for_those_it_excepts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scripted(says("By proxy.")) as proxy:
        monkeypatch.setenv("http_proxy", proxy.base_url.removesuffix("/v1").replace("://", "://ann:secret@"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert text_of(chat("http://model.invalid/v1", api_key="k-1")) == "By proxy."
        with scripted(says("Straight.")) as server:
            assert text_of(chat(server.base_url)) == "Straight."
    assert proxy.paths == ["http://model.invalid/v1/chat/completions"]
    assert "proxy-authorization: basic yw5uonnly3jlda==" in proxy.headers[0].lower()
    assert "authorization: bearer k-1" in proxy.headers[0].lower().replace("proxy-authorization", "")


def test_key_that_another_program_has_for_a_host_is_not_sent_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with scripted(says("Open."), says("Keyed.")) as server:
        assert text_of(chat(server.base_url)) == "Open."
        assert text_of(chat(server.base_url, api_key="k-1")) == "Keyed."
    assert "authorization" not in server.headers[0].lower()
    assert "authorization: bearer k-1" in server.headers[1].lower()


def test_request_of_which_nothing_came_back_is_sent_again_and_one_that_had_begun_is_not() -> None:
    for first in (refuses(503), ["abort"]):
        with scripted(first, says("ok")) as server:
            assert text_of(chat(server.base_url, retries=1)) == "ok"
        assert len(server.asked) == 2
    with scripted([HEAD, event("a"), "abort"], says("ok")) as server, pytest.raises(Unavailable):
        chat(server.base_url, retries=1)
    assert len(server.asked) == 1


def test_server_that_talks_faster_than_we_read_leaves_the_others_their_turns() -> None:
    async def run(base_url: str) -> tuple[int, int]:
        turns, over = 0, asyncio.Event()

        async def other() -> None:
            nonlocal turns
            while not over.is_set():
                turns += 1
                await asyncio.sleep(0)

        model = OpenAiChatModel(ChatEndpoint(base_url, "tiny"))
        async with aclosing(model.chat(ChatRequest(CONVERSATION))) as pieces:  # type: ignore[type-var]
            await anext(pieces)
            watching = asyncio.create_task(other())
            read = len([piece async for piece in pieces])
        over.set()
        await watching
        await model.close()
        return read, turns

    chunked = HEAD.replace(b"Connection: close", b"Transfer-Encoding: chunked")
    words = [event("word ")] * 3_000 + [event(finish="stop"), DONE]
    flood = b"".join(b"%x\r\n%s\r\n" % (len(word), word) for word in words) + b"0\r\n\r\n"
    with scripted([chunked + flood]) as server:
        read, turns = asyncio.run(run(server.base_url))
    assert read == 3_000
    assert turns > 150  # an event has two lines


def test_hanging_up_reaches_the_server() -> None:
    async def first_piece(base_url: str) -> str:
        model = OpenAiChatModel(ChatEndpoint(base_url, "tiny"))
        async with aclosing(model.chat(ChatRequest(CONVERSATION))) as pieces:  # type: ignore[type-var]
            text = (await anext(pieces)).text
        await model.close()
        return text

    with scripted([HEAD, event("The"), 20.0, event("end")]) as server:
        assert asyncio.run(first_piece(server.base_url)) == "The"
        assert server.hung_up.wait(5)


def test_tokens_are_counted_by_the_server_or_estimated_from_above() -> None:
    async def count(base_url: str, *texts: str, counts_tokens: bool) -> list[int]:
        model = OpenAiChatModel(ChatEndpoint(base_url, "tiny", counts_tokens=counts_tokens))
        try:
            return await model.count(texts)
        finally:
            await model.close()

    body = b'{"count": 4, "max_model_len": 64}'
    answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    with scripted([answer]) as server:
        assert asyncio.run(count(server.base_url, "a b c d", counts_tokens=True)) == [4]
        assert server.paths == ["/tokenize"]
        estimated = asyncio.run(count(server.base_url, "", "the cat sat on the mat", "中文", counts_tokens=False))
        assert len(server.asked) == 1
    assert estimated == [1, 8, 3]
    with scripted(refuses(404)) as server, pytest.raises(Unavailable, match="does not count"):
        asyncio.run(count(server.base_url, "a", counts_tokens=True))
