"""The HTTP adapter against servers that misbehave: retries, refusals, nonsense, and the words that come of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ragstead.adapters.openai_embeddings import EmbeddingEndpoint, OpenAiEmbeddings
from ragstead.errors import ConfigurationError, InvalidRequest, Overloaded, RagsteadError, Unavailable
from ragstead.model import Role
from ragstead.ports.embedder import EmbedRequest
from ragstead.ports.encoder import EncoderSpec
from services.live_server import serving

SPEC = EncoderSpec("far-away", 2, 8, query_prefix="query: ")
Answer = Callable[[dict[str, object]], Response]


def vectors(body: dict[str, object], *, value: object = None) -> Response:
    """OpenAI's shape, rows in any order; a row is `[1, length of the text]`."""
    given = body["input"]
    assert isinstance(given, list)
    rows = [{"index": i, "embedding": value or [1, len(text)]} for i, text in enumerate(given)]
    return JSONResponse({"data": rows[::-1], "usage": {"prompt_tokens": 3 * len(given)}})


def refused(status: int, message: str = "no", param: str | None = None, **headers: str) -> Response:
    error = {"error": {"message": message, "type": "t", "param": param, "code": None}}
    return JSONResponse(error, status, headers=headers)


class Server:
    """Answers as the list says, one a request, the last one for ever."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.bodies: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []

    async def __call__(self, scope, receive, send) -> None:
        request = Request(scope, receive)
        body = json.loads(await request.body())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        await answer(body)(scope, receive, send)


@contextmanager
def endpoint(server: Server, **words: object) -> Iterator[EmbeddingEndpoint]:
    with serving(server) as url:
        yield EmbeddingEndpoint(f"{url}/v1", **words)


def embed(reached: EmbeddingEndpoint, *texts: str, role: Role = "passage") -> np.ndarray:
    async def call() -> np.ndarray:
        adapter = OpenAiEmbeddings(reached, SPEC)
        try:
            return await adapter.embed(texts, role)
        finally:
            await adapter.close()

    return asyncio.run(call())


def test_rows_are_put_in_order_and_made_unit_vectors_over_several_requests() -> None:
    server = Server(vectors)
    with endpoint(server, max_inputs=2, api_key="k-1") as reached:
        found = embed(reached, "a", "bb", "ccc", "dddd", "eeeee")
    wanted = np.array([[1, n] for n in range(1, 6)], dtype=float)
    assert np.allclose(found, wanted / np.linalg.norm(wanted, axis=1, keepdims=True))
    assert sorted(len(body["input"]) for body in server.bodies) == [1, 2, 2]  # type: ignore[arg-type]
    assert {headers["authorization"] for headers in server.headers} == {"Bearer k-1"}
    assert not {"truncate", "input_type", "dimensions"} & server.bodies[0].keys()


def test_prefix_is_sent_and_dimensions_where_the_model_can_be_cut() -> None:
    server = Server(vectors)
    with endpoint(server, sends_dimensions=True) as reached:
        embed(reached, "cats", role="query")
        embed(reached, "cats")
    assert [body["input"] for body in server.bodies] == [["query: cats"], ["cats"]]
    assert server.bodies[0]["dimensions"] == 2


def test_server_of_ours_is_told_the_role_instead() -> None:
    server = Server(vectors)
    with endpoint(server, is_ours=True) as reached:
        embed(reached, "cats", role="query")
    assert (server.bodies[0]["input"], server.bodies[0]["input_type"]) == (["cats"], "query")
    assert server.bodies[0]["truncate"] is True


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_trouble_is_tried_again(status: int) -> None:
    server = Server(lambda _: refused(status, **{"Retry-After": "0"}), vectors)
    with endpoint(server) as reached:
        assert embed(reached, "a").shape == (1, 2)
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        (lambda _: refused(429, **{"Retry-After": "7"}), Overloaded, "429"),
        (lambda _: refused(500), Unavailable, "500"),
        (lambda _: refused(401), Unavailable, "api_key"),
        (lambda _: refused(404), Unavailable, "far-away"),
        (lambda _: refused(400, "input[0] is odd", "input[0]"), InvalidRequest, "is odd"),
        (lambda _: Response("<html>", 200), Unavailable, "no embeddings"),
        (lambda _: JSONResponse({"data": []}), Unavailable, "no embeddings"),
        (lambda _: JSONResponse([]), Unavailable, "no embeddings"),
        (lambda body: vectors(body, value=[1, 2, 3]), ConfigurationError, "3 numbers, not 2"),
        (lambda body: vectors(body, value=[0, 0]), Unavailable, "no direction"),
        (lambda body: vectors(body, value="!!!"), Unavailable, "no embeddings"),
        (lambda body: vectors(body, value="AAAA"), Unavailable, "no embeddings"),
    ],
)
def test_lasting_trouble_is_said_in_our_errors(answer: Answer, error: type[RagsteadError], words: str) -> None:
    with endpoint(Server(answer), retries=0) as reached, pytest.raises(error, match=words) as caught:
        embed(reached, "a")
    assert not isinstance(caught.value, Overloaded) or caught.value.retry_after_s == 7


def test_server_that_is_gone_or_hangs_is_unavailable() -> None:
    gone = EmbeddingEndpoint("http://127.0.0.1:9/v1", retries=1)
    with pytest.raises(Unavailable, match="can't be reached"):
        embed(gone, "a")

    async def hangs(scope, receive, send) -> None:
        await asyncio.sleep(1)
        await Response("")(scope, receive, send)

    with serving(hangs) as url, pytest.raises(Unavailable, match="can't be reached"):
        embed(EmbeddingEndpoint(f"{url}/v1", timeout_s=0.1, retries=0), "a")


def test_text_that_is_too_long_is_cut_until_the_server_takes_it_and_the_others_stay_whole() -> None:
    def strict(body: dict[str, object]) -> Response:
        given = body["input"]
        assert isinstance(given, list)
        long = [i for i, text in enumerate(given) if len(text) > 50]
        said = "This model's maximum context length is 8 tokens"
        return refused(400, said, f"input[{long[0]}]") if long else vectors(body)

    with endpoint(Server(strict)) as reached:
        found = embed(reached, "short", "x" * 128)
    lengths = np.round(found[:, 1] / found[:, 0]).tolist()
    assert lengths[0] == 5
    assert 37 < lengths[1] <= 50


def test_index_of_a_refused_input_is_that_among_all_of_them() -> None:
    def strict(body: dict[str, object]) -> Response:
        given = body["input"]
        assert isinstance(given, list)
        return refused(400, "input[1] is odd", "input[1]") if "odd" in given else vectors(body)

    async def call(reached: EmbeddingEndpoint) -> None:
        adapter = OpenAiEmbeddings(reached, SPEC)
        try:
            await adapter.run(EmbedRequest(["a", "b", "c", "odd"]))
        finally:
            await adapter.close()

    with (
        endpoint(Server(strict), max_inputs=2) as reached,
        pytest.raises(InvalidRequest, match=r"input\[3\]") as caught,
    ):
        asyncio.run(call(reached))
    assert caught.value.param == "input[3]"
