"""The embeddings API, by the gateway and by the service of its own: shapes, errors, and the official client."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterator

import numpy as np
import openai
import pytest

from ragstead.pipelines.encode_queue import QueueLimits
from ragstead.settings import DeploymentSettings, EmbeddingServiceSettings, Settings
from ragstead.testing.fakes import HashEncoder
from ragstead_embedding.app import create_app
from ragstead_gateway.app import create_app as create_gateway
from services.conftest import InProcess
from services.fake_platform import FakePlatform, hash_embedding
from services.live_server import serving

MODEL = "all-MiniLM-L6-v2"


@pytest.fixture
def service() -> InProcess:
    limits = DeploymentSettings(embedding=EmbeddingServiceSettings(max_inputs=100))
    return InProcess(create_app(hash_embedding(), Settings(deployment=limits)))


@pytest.fixture(params=["service", "gateway"])
def embeds(request: pytest.FixtureRequest, service: InProcess, call: InProcess) -> InProcess:
    return service if request.param == "service" else call


def post(call: InProcess, given: object, *, path: str = "/v1/embeddings", **more: object):
    return call("POST", path, json={"model": MODEL, "input": given, **more})


@pytest.mark.parametrize("path", ["/v1/embeddings", "/embeddings"])
def test_texts_become_vectors_in_their_order(embeds, path):
    body = post(embeds, ["one two", "three"], path=path).json()
    encoder = HashEncoder()
    wanted = encoder.encode(encoder.tokenize(["one two", "three"], "passage"))
    assert body["object"] == "list"
    assert [one["index"] for one in body["data"]] == [0, 1]
    assert np.allclose([one["embedding"] for one in body["data"]], wanted)
    assert body["model"] == MODEL
    assert body["usage"] == {"prompt_tokens": 7, "total_tokens": 7}


def test_base64_holds_the_same_numbers(embeds):
    (plain,) = post(embeds, "one two").json()["data"]
    (packed,) = post(embeds, "one two", encoding_format="base64").json()["data"]
    assert np.frombuffer(base64.b64decode(packed["embedding"]), "<f4").tolist() == pytest.approx(plain["embedding"])


def test_name_of_openai_is_answered_by_the_model_that_ran(embeds):
    answer = embeds("POST", "/v1/embeddings", json={"model": "text-embedding-3-small", "input": "one"})
    assert answer.json()["model"] == MODEL


def test_token_ids_are_the_models_own(embeds):
    ids = HashEncoder().tokenize(["one two"], "passage")[0][1:-1]
    (text,) = post(embeds, "one two").json()["data"]
    for given in (ids, [ids]):
        (one,) = post(embeds, given).json()["data"]
        assert one["embedding"] == text["embedding"]
    refused = embeds("POST", "/v1/embeddings", json={"model": "text-embedding-ada-002", "input": [ids]})
    assert refused.status_code == 400
    assert "check_embedding_ctx_length=False" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("given", "param", "words"),
    [
        ("", "input", "empty string"),
        ([], "input", "empty"),
        (["a", ""], "input[1]", "empty string"),
        (["a", 3], "input[1]", "must be a string"),
        ([3, "a"], "input[0]", "must be a string"),
        ([[1, 2], "a"], "input[1]", "token ids"),
        ([[1, 2], []], "input[1]", "no token ids"),
        ([[1, 2], [10_000]], "input[1]", "not in the vocabulary"),
        ([-1], "input[0]", "not in the vocabulary"),
        ([1.5], "input[0]", "must be a string"),
        ([True], "input[0]", "must be a string"),
        (None, "input", "must be a string"),
        ({"a": 1}, "input", "must be a string"),
        (["a"] * 10_000, "input", "10000 items"),
        (["a", "word " * 40], "input[1]", "42 tokens"),
    ],
)
def test_bad_input_is_named_by_its_index(embeds, given, param, words):
    answer = post(embeds, given)
    error = answer.json()["error"]
    assert answer.status_code == 400
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert words in error["message"]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("encoding_format", "int8", 400),
        ("dimensions", 8, 400),
        ("dimensions", 0, 400),
        ("input_type", "title", 400),
        ("truncate", "yes", 400),
        ("zebra", 1, 400),
        ("model", "gpt-4", 404),
        ("dimensions", 32, 200),
        ("user", "me", 200),
        ("input_type", "query", 200),
    ],
)
def test_parameters_are_refused_or_honoured(embeds, field, value, status):
    answer = embeds("POST", "/v1/embeddings", json={"model": MODEL, "input": "one", field: value})
    assert answer.status_code == status
    if status != 200:
        assert answer.json()["error"]["param"] == field


def test_long_text_is_cut_where_the_caller_says_so(embeds):
    body = post(embeds, "word " * 40, truncate=True).json()
    assert body["usage"]["prompt_tokens"] == 16


def test_nul_is_text_and_a_lone_surrogate_is_no_json(embeds):
    assert post(embeds, "a\0b").status_code == 200
    answer = embeds(
        "POST",
        "/v1/embeddings",
        content=b'{"model": "all-MiniLM-L6-v2", "input": "\\ud800"}',
        headers={"content-type": "application/json"},
    )
    assert answer.json()["error"]["code"] == "invalid_json"


def test_ten_megabytes_are_refused_by_length(embeds):
    answer = post(embeds, "word " * 2_000_000)
    assert answer.status_code == 400
    assert "2000002 tokens" in answer.json()["error"]["message"]


def test_models_are_listed_with_their_other_names(embeds):
    names = [one["id"] for one in embeds("GET", "/v1/models").json()["data"]]
    assert {MODEL, "text-embedding-3-small", "text-embedding-ada-002"} <= set(names)
    assert embeds("GET", f"/v1/models/{MODEL}").json()["capabilities"]["embeddings"] is True
    assert embeds("GET", "/v1/models/none").status_code == 404


def test_chat_does_not_take_an_embedding_model(call):
    question = [{"role": "user", "content": "hello"}]
    answer = call("POST", "/v1/chat/completions", json={"model": MODEL, "messages": question})
    assert answer.status_code == 404


def test_service_says_what_it_runs_and_counts(service):
    ready = service("GET", "/health/ready").json()
    assert ready["dependencies"]["model"] == {"ready": True, "detail": "hash-encoder/32 on cpu"}
    post(service, ["one", "two three"])
    text = service("GET", "/metrics").text
    assert "ragstead_embedding_tokens_total 7.0" in text
    assert "ragstead_embedding_waiting_tokens 0.0" in text
    assert 'ragstead_embedding_wait_seconds_count{lane="interactive"} 1.0' in text
    assert service("POST", "/v1/rerank", json={"model": "m", "query": "q", "documents": ["d"]}).status_code == 404


class WordOverlap:
    """A `Reranker` without a model: the share of the query's words that a passage has."""

    name = "word-overlap"

    async def rerank(self, query, passages):
        wanted = set(query.split())
        return [len(wanted & set(passage.split())) / len(wanted) for passage in passages]


@pytest.fixture(params=["service", "gateway"])
def reranks(request: pytest.FixtureRequest, platform: FakePlatform) -> InProcess:
    platform.reranker = WordOverlap()
    alone = create_app(hash_embedding(), Settings(), reranker=WordOverlap())
    return InProcess(alone if request.param == "service" else create_gateway(platform))


def rerank(call: InProcess, **more: object):
    asked = {
        "model": "word-overlap",
        "query": "when the tide turns",
        "documents": ["bees", "the tide turns", "the sea"],
    }
    return call("POST", "/v1/rerank", json={**asked, **more})


def test_documents_are_reranked_best_first_in_coheres_shape(reranks):
    body = rerank(reranks).json()
    found = [(one["index"], one["relevance_score"]) for one in body["results"]]
    assert found == [(1, 0.75), (2, 0.25), (0, 0.0)]
    assert body["model"] == "word-overlap"
    assert [one["index"] for one in rerank(reranks, top_n=1).json()["results"]] == [1]
    listed = {one["id"]: one["capabilities"] for one in reranks("GET", "/v1/models").json()["data"]}
    assert listed["word-overlap"]["rerank"] is True


@pytest.mark.parametrize(
    ("more", "status", "param"),
    [
        ({"documents": []}, 400, "documents"),
        ({"documents": ["a"] * 1001}, 400, "documents"),
        ({"query": ""}, 400, "query"),
        ({"top_n": 0}, 400, "top_n"),
        ({"model": "none"}, 404, None),
        ({"model": MODEL}, 404, None),
    ],
)
def test_bad_rerank_is_refused_by_name(reranks, more, status, param):
    answer = rerank(reranks, **more)
    assert answer.status_code == status
    assert answer.json()["error"]["param"] in {param, "model"}


def test_model_says_what_its_vectors_are(embeds):
    listed = embeds("GET", f"/v1/models/{MODEL}").json()
    assert listed["embedding"] == {"identity": "hash-encoder/32", "dimensions": 32, "max_tokens": 16}
    others = [one for one in embeds("GET", "/v1/models").json()["data"] if not one["capabilities"].get("embeddings")]
    assert all("embedding" not in one for one in others)


def test_hosted_model_is_not_passed_on_to_other_applications(platform):
    platform.embedding = dataclasses.replace(platform.embedding, leaves=True, device="https://api.example.org/v1")
    call = InProcess(create_gateway(platform))
    refused = post(call, "one")
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "model_not_found")
    assert "api.example.org" in refused.json()["error"]["message"]
    assert MODEL not in {one["id"] for one in call("GET", "/v1/models").json()["data"]}


def test_device_its_memory_and_failures_of_the_cache_are_measured():
    model = hash_embedding()
    on_gpu = dataclasses.replace(model, device="cuda:0", device_memory=lambda: 123_000)
    call = InProcess(create_app(on_gpu, Settings()))
    model.events.cache_failed()
    text = call("GET", "/metrics").text
    assert 'ragstead_embedding_device_info{device="cuda:0"} 1.0' in text
    assert "ragstead_embedding_device_memory_bytes 123000.0" in text
    assert "ragstead_embedding_cache_failures_total 1.0" in text
    on_cpu = InProcess(create_app(hash_embedding(), Settings()))
    assert "device_memory_bytes" not in on_cpu("GET", "/metrics").text


def test_service_with_keys_asks_for_one():
    locked = InProcess(create_app(hash_embedding(), Settings(), api_keys=["secret"]))
    assert post(locked, "one").status_code == 401
    answer = locked(
        "POST",
        "/v1/embeddings",
        json={"model": MODEL, "input": "one"},
        headers={"authorization": "Bearer secret"},
    )
    assert answer.status_code == 200


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    with (
        serving(create_app(hash_embedding(QueueLimits()), Settings())) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as made,
    ):
        yield made


def test_official_client_reads_each_shape(client):
    encoder = HashEncoder()
    (wanted,) = encoder.encode(encoder.tokenize(["one two"], "passage"))
    ids = encoder.tokenize(["one two"], "passage")[0][1:-1]
    for given in ("one two", ["one two"], ids, [ids]):
        for how in ({}, {"encoding_format": "float"}, {"encoding_format": "base64"}, {"dimensions": 32}):
            answer = client.embeddings.create(model=MODEL, input=given, **how)
            found = answer.data[0].embedding
            if isinstance(found, str):
                found = np.frombuffer(base64.b64decode(found), "<f4").tolist()
            assert found == pytest.approx(wanted.tolist())
            assert answer.usage.prompt_tokens == 4
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=MODEL, input=["a", "word " * 40])
    assert caught.value.param == "input[1]"
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="text-embedding-9", input="a")
    assert MODEL in {model.id for model in client.models.list()}
