"""Requests that name a model: passed on as they are, refused where it can't, ended with an error where it dies."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import openai
import pytest

from ragstead.adapters.openai_api import ChatEndpoint, OpenAiRelay
from ragstead_gateway.app import create_app
from services.fake_platform import FakePlatform
from services.live_server import serving
from services.scripted_model import HEAD, ScriptedModel, Step, event, refuses, says, scripted

HELLO = [{"role": "user", "content": "hello"}]
WEATHER = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]


def whole(**more: object) -> list[Step]:
    """A chat completion that is not streamed."""
    message = {"role": "assistant", "content": "ahoy"}
    view = {
        "id": "c-1",
        "object": "chat.completion",
        "created": 1,
        "model": "there",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        **more,
    }
    body = json.dumps(view).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return [head.encode() + body]


class Gateway:
    """A gateway whose model `tiny` is a scripted server, and OpenAI's client of it."""

    def __init__(self, client: openai.OpenAI, server: ScriptedModel, url: str) -> None:
        self.client, self.server, self.url = client, server, url

    def ask(self, **more: object):
        return self.client.chat.completions.create(model="tiny", messages=HELLO, **more)  # type: ignore[call-overload]


@contextmanager
def gateway(folder: Path, *scripts: Sequence[Step], can: Sequence[str] = ()) -> Iterator[Gateway]:
    platform = FakePlatform(folder)
    with scripted(*scripts) as server:
        endpoint = ChatEndpoint(server.base_url, "there", first_token_s=1.0, between_tokens_s=0.3, total_s=3, retries=0)
        abilities = {"chat": True, "stream": True, **{name: name in can for name in ("tools", "n", "response_format")}}
        platform.relays["tiny"] = OpenAiRelay(endpoint, name="tiny", capabilities=abilities)
        with (
            serving(create_app(platform)) as url,
            openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as client,
        ):
            yield Gateway(client, server, url)


def test_answer_is_the_servers_own_under_the_name_that_it_has_there(tmp_path: Path) -> None:
    with gateway(tmp_path, whole()) as up:
        answer = up.ask(temperature=0.3, max_tokens=5, stop=["#"], seed=1, user="me")
        assert (answer.choices[0].message.content, answer.usage.total_tokens) == ("ahoy", 2)
        (asked,) = up.server.asked
        assert asked == {
            "model": "there",
            "messages": HELLO,
            "temperature": 0.3,
            "max_tokens": 5,
            "stop": ["#"],
            "seed": 1,
            "user": "me",
        }
        listed = {model.id: model.model_extra["capabilities"] for model in up.client.models.list()}
        assert listed["tiny"]["chat"] is True
        assert listed["tiny"]["tools"] is False


def test_stream_is_passed_on_word_by_word(tmp_path: Path) -> None:
    script = says("a", "hoy")
    script.insert(2, 0.2)
    with gateway(tmp_path, script) as up:
        chunks = list(up.ask(stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "ahoy"
    assert chunks[-1].usage.completion_tokens == 7


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": WEATHER}, "tools"),
        ({"n": 2}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"extra_body": {"rag": {"collection": "x"}}}, "rag"),
        ({"extra_body": {"best_of": 3}}, "best_of"),
    ],
)
def test_what_the_model_can_not_do_is_refused_by_name_and_never_asked(tmp_path: Path, more, param) -> None:
    with gateway(tmp_path, whole()) as up:
        with pytest.raises(openai.BadRequestError) as caught:
            up.ask(**more)
        assert caught.value.param == param
        assert up.server.asked == []


def test_what_it_can_do_is_passed_on(tmp_path: Path) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    with gateway(tmp_path, whole(), can=["tools", "response_format", "n"]) as up:
        up.ask(tools=WEATHER, tool_choice="auto", response_format=form, n=2)
        (asked,) = up.server.asked
    assert (asked["tools"], asked["response_format"], asked["n"]) == (WEATHER, form, 2)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        (refuses(400, "context too long"), openai.BadRequestError),
        (refuses(422, "odd"), openai.UnprocessableEntityError),
        (refuses(429, "busy", "Retry-After: 7"), openai.RateLimitError),
        (refuses(500), openai.InternalServerError),
        (refuses(401), openai.InternalServerError),
        (["abort"], openai.InternalServerError),
        (
            [b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{", "abort"],
            openai.APIError,
        ),
    ],
)
def test_faults_keep_their_meaning(tmp_path: Path, script: list[Step], error: type[Exception]) -> None:
    with gateway(tmp_path, script) as up:
        with pytest.raises(error) as caught:
            up.ask()
        response = getattr(caught.value, "response", None)
        if isinstance(caught.value, openai.RateLimitError):
            assert caught.value.response.headers["retry-after"] == "7"
        if isinstance(caught.value, openai.InternalServerError):
            assert response.status_code == 503
            assert "retry-after" in response.headers


@pytest.mark.parametrize("end", ["abort", 5.0])
def test_stream_whose_server_dies_or_hangs_ends_with_an_error(tmp_path: Path, end: Step) -> None:
    with gateway(tmp_path, [HEAD, event("a"), event("hoy")[:9], end]) as up:
        stream = up.ask(stream=True)
        assert next(iter(stream)).choices[0].delta.content == "a"
        with pytest.raises(openai.APIError, match=r"broke off|silent"):
            list(stream)


def test_client_that_hangs_up_stops_the_server(tmp_path: Path) -> None:
    with gateway(tmp_path, [HEAD, event("a"), 20.0, event("b")]) as up:
        stream = up.ask(stream=True)
        next(iter(stream))
        stream.close()
        assert up.server.hung_up.wait(5)


def test_requests_that_were_passed_on_are_counted(tmp_path: Path) -> None:
    with gateway(tmp_path, whole()) as up:
        up.ask()
        text = up.client._client.get(f"{up.url}/metrics").text
    assert 'ragstead_relayed_total{model="tiny",status="200"} 1.0' in text


@pytest.mark.parametrize(
    ("body", "content_type", "status", "says"),
    [
        (b"{", "application/json", 400, "JSON"),
        (b"[1]", "application/json", 400, ""),
        (b"null", "application/json", 400, ""),
        (b'{"model": ["tiny"], "messages": [{"role": "user", "content": "x"}]}', "application/json", 400, "model"),
        (b'{"model": "tiny"}', "application/json", 400, "messages"),
        (b'{"model": "tiny", "messages": [], "colour": 1}', "application/json", 400, ""),
        (b'{"model": "nobody", "messages": [{"role": "user", "content": "x"}]}', "application/json", 404, "nobody"),
        (b'{"model": "tiny", "messages": [{"role": "user", "content": "\\ud800"}]}', "application/json", 400, ""),
        (b"x" * (17 << 20), "application/json", 413, "limit"),
        (b'{"model": "tiny", "messages": [{"role": "user", "content": "x"}]}', "text/plain", 400, ""),
    ],
    ids=range(10),
)
def test_what_is_off_is_refused_as_everywhere_and_reaches_no_model(
    tmp_path: Path, body: bytes, content_type: str, status: int, says: str
) -> None:
    with gateway(tmp_path, whole()) as up:
        answer = httpx.post(f"{up.url}/v1/chat/completions", content=body, headers={"content-type": content_type})
        assert answer.status_code == status
        assert says in answer.json()["error"]["message"]
        assert up.server.asked == []


def test_body_in_pieces_arrives_and_one_over_the_limit_in_pieces_is_refused(tmp_path: Path) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        yield b'{"model": "tiny", "messages": [{"role": "user", "content": "'
        for _ in range(size):
            yield b"a" * (1 << 20)
        yield b'"}]}'

    with gateway(tmp_path, whole()) as up:
        url, headers = f"{up.url}/v1/chat/completions", {"content-type": "application/json"}
        assert httpx.post(url, content=pieces(2), headers=headers, timeout=20).status_code == 200
        assert len(up.server.asked) == 1
        try:
            refused = httpx.post(url, content=pieces(20), headers=headers, timeout=20).status_code
        except httpx.TransportError:
            refused = 413  # it was answered and hung up on before all had been sent
        assert refused == 413
        assert len(up.server.asked) == 1


def test_client_that_is_gone_before_its_body_is_whole_reaches_no_model(tmp_path: Path) -> None:
    with gateway(tmp_path, whole()) as up:
        host, port = up.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as sock:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
            sock.sendall(f'{head}content-length: 500\r\n\r\n{{"model": "tiny"'.encode())
        assert up.ask().choices[0].message.content == "ahoy"
        assert len(up.server.asked) == 1


def test_metrics_book_what_was_passed_on_under_its_route(tmp_path: Path) -> None:
    with gateway(tmp_path, whole()) as up:
        up.ask()
        metrics = httpx.get(f"{up.url}/metrics").text
    assert 'ragstead_http_requests_total{method="POST",route="/v1/chat/completions",status="200"} 1.0' in metrics
