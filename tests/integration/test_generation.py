"""Answers by a language model at a server of OpenAI's API: checked, routed, replaced by quotes when it is down."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx
import openai
import pytest
import yaml

from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.errors import ConfigurationError, InvalidRequest
from ragstead.model import Answer, Reason, Verdict
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.ports.generator import Message, Sampling
from ragstead.settings import Settings, load_settings
from ragstead_gateway.app import create_app
from services.scripted_model import HEAD, Step, event, refuses, says, scripted

TIDE = "The tide turns at noon. The harbour closes at six in the evening. Boats wait outside until the morning."
QUESTION = "When does the tide turn?"


def settings_of(folder: Path, base_url: str, *, answer: dict | None = None, **model: object) -> Settings:
    described = {"base_url": base_url, "first_token_s": 1.0, "between_tokens_s": 0.5, "connect_s": 1.0, **model}
    file = folder / "ragstead.yaml"
    pipeline = {"answer": {"generator": "tiny", **(answer or {})}}
    generation = {"models": {"tiny": described}, "breaker_failures": 2}
    deployment = {"generation": generation, "answer_cache": {"ttl_s": 0}}
    file.write_text(yaml.safe_dump({"pipeline": pipeline, "deployment": deployment}))
    return load_settings(file, data_dir=folder / "data", environ={})


async def filled(platform: Platform) -> None:
    submission = Submission("tide", "tide.txt", TIDE.encode(), plain_text=True)
    await platform.ingestor.submit("default", [submission])
    await platform.ingestor.settle("default")


def ask(settings: Settings, *requests: AskRequest) -> list[Answer]:
    async def run() -> list[Answer]:
        async with open_platform(settings) as platform:
            await filled(platform)
            return [await platform.answerer.answer(request) for request in requests or (AskRequest(QUESTION),)]

    return asyncio.run(run())


def test_models_answer_is_checked_and_its_receipt_names_it(tmp_path: Path) -> None:
    script = says("The tide turns", " at noon [1]", ". The moon is made of cheese [1]. It is", " far away [99].")
    with scripted(script) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url))
    assert answer.content == "The tide turns at noon [1]."
    (citation,) = answer.citations
    assert (citation.quote, citation.verdict) == ("The tide turns at noon", Verdict.SUPPORTED)
    receipt = answer.receipt
    assert (receipt.model, receipt.route, receipt.dropped_citations) == ("tiny", "configured", 2)
    assert (receipt.prompt_tokens, receipt.completion_tokens) == (11, 7)
    messages = server.asked[0]["messages"]
    assert isinstance(messages, list)
    assert '<passage n="1"' in messages[0]["content"]
    assert messages[-1]["content"] == QUESTION
    assert (server.asked[0]["temperature"], server.asked[0]["max_tokens"]) == (0, 300)


def test_model_that_says_it_does_not_know_refuses(tmp_path: Path) -> None:
    with scripted(says("NO ANSWER")) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url))
    assert (answer.refused, answer.reason, answer.citations) == (True, Reason.LOW_SUPPORT, ())


def test_conversation_and_sampling_reach_the_model(tmp_path: Path) -> None:
    messages = (Message("user", "Hello"), Message("assistant", "Ahoy"), Message("user", QUESTION))
    request = AskRequest(QUESTION, messages=messages, sampling=Sampling(temperature=0.7, max_tokens=40, stop=("#",)))
    with scripted(says("The tide turns at noon [1].")) as server:
        ask(settings_of(tmp_path, server.base_url), request)
    asked = server.asked[-1]  # it is asked first whether the question stands alone
    assert isinstance(asked["messages"], list)
    assert [one["role"] for one in asked["messages"]] == ["system", "user", "assistant", "user"]
    assert (asked["temperature"], asked["max_tokens"], asked["stop"]) == (0.7, 40, ["#"])


@pytest.mark.parametrize("script", [refuses(500), refuses(429), ["abort"], [HEAD, 5.0]])
def test_model_that_is_down_or_busy_is_replaced_by_quotes(tmp_path: Path, script: list[Step]) -> None:
    with scripted(script) as server:
        (answer,) = ask(settings_of(tmp_path, server.base_url))
    assert "at noon" in answer.content
    assert answer.receipt.model == "extractive"
    assert answer.receipt.route.startswith("fallback: tiny is ")


def test_every_model_down_answers_within_a_second_once_the_breaker_is_open(tmp_path: Path) -> None:
    async def run(settings: Settings) -> None:
        async with open_platform(settings) as platform:
            await filled(platform)
            for _ in range(2):
                await platform.answerer.answer(AskRequest(QUESTION))
            began = time.monotonic()
            answer = await platform.answerer.answer(AskRequest(QUESTION))
            assert time.monotonic() - began < 1
            assert (answer.receipt.model, answer.receipt.route) == (
                "extractive",
                "fallback: tiny was down a moment ago",
            )

    asyncio.run(run(settings_of(tmp_path, "http://127.0.0.1:9/v1")))


def test_hosted_model_sees_no_evidence_without_the_owners_word(tmp_path: Path) -> None:
    async def run(settings: Settings) -> tuple[Answer, Answer]:
        async with open_platform(settings) as platform:
            await filled(platform)
            closed = await platform.answerer.answer(AskRequest(QUESTION))
            collection = await platform.collections.find("default")
            await platform.collections.change(collection.collection_id, name=None, metadata={"egress": "allow"})
            return closed, await platform.answerer.answer(AskRequest(QUESTION))

    with scripted(says("The tide turns at noon [1].")) as server:
        closed, opened = asyncio.run(run(settings_of(tmp_path, server.base_url, hosted=True)))
        assert len(server.asked) == 1
    assert closed.receipt.model == "extractive"
    assert "egress: allow" in closed.receipt.route
    assert opened.receipt.model == "tiny"


def test_evidence_that_does_not_fit_is_refused_with_the_sizes(tmp_path: Path) -> None:
    with scripted(says("x")) as server, pytest.raises(InvalidRequest, match="tokens for evidence") as caught:
        ask(settings_of(tmp_path, server.base_url, context_tokens=320))
    assert caught.value.code == "context_length_exceeded"


def test_settings_that_name_no_model_are_refused(tmp_path: Path) -> None:
    for answer, words in (
        ({"generator": "gpt"}, "'gpt' is none of extractive, tiny"),
        ({"fallbacks": ["gpt"]}, "'gpt' is none of"),
        ({"generator": "extractive", "fallbacks": ["tiny"]}, "needs no fallbacks"),
    ):
        with pytest.raises(ConfigurationError, match=words):
            ask(settings_of(tmp_path, "http://127.0.0.1:9/v1", answer=answer))
    (tmp_path / "own.yaml").write_text(
        "deployment: {generation: {models: {ragstead: {base_url: 'http://127.0.0.1:9/v1'}}}}"
    )
    with pytest.raises(ConfigurationError, match="'ragstead' is a name of ours"):
        load_settings(tmp_path / "own.yaml", environ={})


def test_streams_end_with_their_receipt_and_one_whose_model_dies_with_an_error(tmp_path: Path) -> None:
    """Over HTTP, with OpenAI's client; the platform lives in the loop of the test, the server in a thread."""

    async def run(settings: Settings, server) -> None:
        async with open_platform(settings) as platform:
            await filled(platform)
            transport = httpx.ASGITransport(create_app(platform), raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:
                client = openai.AsyncOpenAI(
                    base_url="http://127.0.0.1:8080/v1", api_key="none", http_client=http, max_retries=0
                )
                question = [{"role": "user", "content": QUESTION}]
                stream = await client.chat.completions.create(model="ragstead", messages=question, stream=True)
                chunks = [chunk async for chunk in stream]
                text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
                assert text == "The tide turns at noon [1]."
                rag = chunks[-1].model_extra["rag"]
                assert (rag["model"], rag["route"]) == ("tiny", "configured")
                stream = await client.chat.completions.create(model="ragstead", messages=question, stream=True)
                with pytest.raises(openai.APIError, match="broke off"):
                    async for _ in stream:
                        pass
                whole = await client.chat.completions.create(model="ragstead", messages=question)
                assert whole.model_extra["rag"]["model"] == "extractive"

    dies = [HEAD, event("The tide turns at noon [1]. The harbour closes"), 0.1, "abort"]
    with scripted(says("The tide turns at noon [1]."), dies, refuses(503)) as server:
        asyncio.run(run(settings_of(tmp_path, server.base_url), server))
