"""The short way past the routes answers as the routes do: the same apps with and without it, side by side."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from ragstead.settings import Settings
from ragstead_embedding.app import create_app
from ragstead_serving.app import create_service
from ragstead_serving.embeddings import Embeddings, embeddings_router
from ragstead_serving.options import ServiceOptions
from ragstead_serving.short_ways import ShortWay, ShortWays
from services.conftest import InProcess
from services.fake_platform import hash_embedding

MODEL = "all-MiniLM-L6-v2"
MAX_INPUTS = 8
OPTIONS = ServiceOptions(api_keys=("secret",), max_body_bytes=4_000)
HEADERS = {"authorization": "Bearer secret", "content-type": "application/json", "x-request-id": "the-same"}


async def ready() -> dict[str, tuple[bool, str]]:
    return {}


def service(*, has_short_way: bool) -> FastAPI:
    embeddings = Embeddings(hash_embedding(), max_inputs=MAX_INPUTS)
    ways = dict.fromkeys(("/v1/embeddings", "/embeddings"), embeddings.short_way()) if has_short_way else None
    app = create_service("embeddings", "", "0", options=OPTIONS, readiness=ready, short_ways=ways)
    app.include_router(embeddings_router(embeddings))
    return app


SHORT, USUAL = (InProcess(service(has_short_way=has)) for has in (True, False))


def both(content: bytes | Iterator[bytes], path: str = "/v1/embeddings", **headers: str) -> httpx.Response:
    """The answer, which is the same by either way."""
    answers = [call("POST", path, content=content, headers=HEADERS | headers) for call in (SHORT, USUAL)]
    short, usual = ((answer.status_code, sorted(answer.headers.items()), answer.content) for answer in answers)
    assert short == usual
    return answers[0]


numbers = st.integers(-3, 40_000) | st.floats(allow_nan=False) | st.booleans()
anything = st.recursive(
    st.none() | numbers | st.text(max_size=20),
    lambda some: st.lists(some, max_size=4) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=8,
)
inputs = (
    st.text(max_size=60)
    | st.lists(st.text(max_size=20), max_size=MAX_INPUTS + 2)
    | st.lists(st.integers(0, 2_000), max_size=20)
    | st.lists(st.lists(st.integers(0, 2_000), max_size=4), max_size=4)
    | anything
)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "model": st.sampled_from([MODEL, "text-embedding-3-small", "gpt-4", ""]) | anything,
        "input": inputs,
        "encoding_format": st.sampled_from(["float", "base64", "int8"]) | anything,
        "dimensions": st.sampled_from([32, 8, 0, None]) | anything,
        "user": anything,
        "truncate": st.booleans() | anything,
        "input_type": st.sampled_from(["query", "passage"]) | anything,
        "zebra": anything,
    },
)


@given(bodies)
def test_any_object_is_answered_alike(body):
    both(json.dumps(body).encode())


@given(inputs, st.sampled_from(["float", "base64"]), st.booleans(), st.sampled_from(["query", "passage"]))
def test_requests_with_nothing_odd_but_the_input_are_answered_alike(given_input, encoding, truncate, input_type):
    more = {"encoding_format": encoding, "truncate": truncate, "input_type": input_type}
    both(json.dumps({"model": MODEL, "input": given_input, **more}).encode())


@given(st.binary(max_size=60) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_answered_alike(body):
    assert both(body).status_code == 400


def test_good_request_is_answered_by_both_paths():
    content = json.dumps({"model": MODEL, "input": ["one two", "three"]}).encode()
    assert both(content).content == both(content, path="/embeddings").content
    assert both(content).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        (" application/json ", 200),
        ("application/vnd.api+json", 200),
        ("application/jsonish", 400),
        ("text/plain", 400),
        ("", 400),
    ],
)
def test_content_types_are_taken_and_refused_alike(content_type, status):
    content = json.dumps({"model": MODEL, "input": "one"}).encode()
    assert both(content, **{"content-type": content_type}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer other"}, 401),
        ({"authorization": ""}, 401),
        ({"host": "evil.example.org"}, 403),
        ({"origin": "https://evil.example.org"}, 403),
    ],
)
def test_doors_are_closed_alike(headers, status):
    assert both(json.dumps({"model": MODEL, "input": "one"}).encode(), **headers).status_code == status


def test_body_over_the_limit_is_refused_alike_whether_it_says_so_or_not():
    content = json.dumps({"model": MODEL, "input": "a" * 5_000}).encode()
    announced = both(content)

    async def unannounced(call: InProcess) -> httpx.Response:
        async def parts():
            for start in range(0, len(content), 1_000):
                yield content[start : start + 1_000]

        transport = httpx.ASGITransport(call.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", trust_env=False) as client:
            return await client.post("/v1/embeddings", content=parts(), headers=HEADERS)

    short, usual = (asyncio.run(unannounced(call)) for call in (SHORT, USUAL))
    assert (short.status_code, short.content, short.headers) == (usual.status_code, usual.content, usual.headers)
    assert (announced.status_code, announced.content) == (short.status_code, short.content)
    assert short.json()["error"]["code"] == "too_large"


def test_body_that_comes_in_pieces_is_read_whole():
    content = json.dumps({"model": MODEL, "input": "one two"}).encode()
    wanted = both(content).content
    sent = [{"type": "http.request", "body": content[i : i + 7], "more_body": True} for i in range(0, len(content), 7)]
    sent.append({"type": "http.request", "body": b"", "more_body": False})
    assert drive(sent)[1]["body"] == wanted


def test_client_that_hangs_up_before_its_body_came_gets_no_vectors():
    messages = drive([{"type": "http.request", "body": b'{"mod', "more_body": True}, {"type": "http.disconnect"}])
    assert [message.get("status") for message in messages[:1]] in ([], [400], [499])


def drive(sent: list[dict[str, object]]) -> list[dict[str, object]]:
    """Send messages of a request to the app that has the short way, and return what it answers."""
    names = [*((key.encode(), value.encode()) for key, value in HEADERS.items()), (b"host", b"127.0.0.1")]
    scope = {"type": "http", "method": "POST", "path": "/v1/embeddings", "headers": names, "query_string": b""}
    scope |= {"scheme": "http", "server": ("127.0.0.1", 80), "root_path": "", "http_version": "1.1"}
    answered: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        if not sent:
            await asyncio.Event().wait()
        return sent.pop(0)

    async def send(message: dict[str, object]) -> None:
        answered.append(message)

    asyncio.run(SHORT.app(scope, receive, send))
    return answered


def test_short_way_is_really_taken_and_measured_under_its_path():
    call = InProcess(create_app(hash_embedding(), Settings()))
    layers = [type(layer) for layer in chain(call)]
    assert ShortWays in layers
    for given_input in ("one", "", 3):
        call("POST", "/v1/embeddings", json={"model": MODEL, "input": given_input})
    text = call("GET", "/metrics").text
    assert 'ragstead_http_requests_total{method="POST",route="/v1/embeddings",status="200"} 1.0' in text
    assert 'ragstead_http_requests_total{method="POST",route="/v1/embeddings",status="400"} 2.0' in text


def chain(call: InProcess) -> Iterator[object]:
    """The layers of an app, from the outside in."""
    call("GET", "/health/live")
    layer = call.app.middleware_stack
    while layer is not None:
        yield layer
        layer = getattr(layer, "app", None) or getattr(layer, "_app", None)


def test_route_is_in_the_document():
    assert "/v1/embeddings" in SHORT.app.openapi()["paths"]
    assert SHORT.app.openapi()["paths"] == USUAL.app.openapi()["paths"]


class Hurries:
    """Counts blocks that were opened and are open."""

    def __init__(self) -> None:
        self.opened = self.open = 0

    @contextmanager
    def hurry(self) -> Iterator[None]:
        self.opened += 1
        self.open += 1
        try:
            yield
        finally:
            self.open -= 1


@pytest.mark.parametrize(
    ("length", "opened"), [(b"40", 1), (b"2000", 1), (b"2001", 0), (b"", 0), (b"-1", 0), (b"9" * 5_000, 0)]
)
def test_short_request_is_in_a_hurry_from_its_head_on_until_it_ends_or_its_client_leaves(length: bytes, opened: int):
    hurries = Hurries()
    seen: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> dict[str, object]:
        seen.append(hurries.open)
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        raise AssertionError(message)

    headers = [(b"content-type", b"application/json"), (b"content-length", length)]
    scope = {"type": "http", "method": "POST", "path": "/e", "headers": headers}
    asyncio.run(ShortWays(app, {"/e": ShortWay(lambda _: None, hurries.hurry)})(scope, receive, send))
    assert (seen, hurries.opened, hurries.open) == ([opened], opened, 0)
