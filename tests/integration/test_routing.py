"""The file of routing rules in a running platform: shares, shadows, metrics, and what is refused at the start."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import openai
import pytest
import yaml

from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.errors import ConfigurationError
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.settings import Settings, load_settings
from ragstead_gateway.app import create_app
from services.scripted_model import HEAD, ScriptedModel, refuses, says, scripted

TIDE = "The tide turns at noon. The harbour closes at six in the evening. Boats wait outside until the morning."
QUESTION = "When does the tide turn?"


def settings_of(
    folder: Path, rules: list[dict], models: dict[str, ScriptedModel], *, hosted: str = "", answer: dict | None = None
) -> Settings:
    routing = folder / "routing.yaml"
    routing.write_text(yaml.safe_dump({"rules": rules}))
    described = {
        name: {"base_url": server.base_url, "first_token_s": 5.0, "hosted": name == hosted}
        for name, server in models.items()
    }
    file = folder / "ragstead.yaml"
    generation = {"models": described, "routing": str(routing)}
    deployment = {"generation": generation, "answer_cache": {"ttl_s": 0}}
    file.write_text(yaml.safe_dump({"pipeline": {"answer": answer or {}}, "deployment": deployment}))
    return load_settings(file, data_dir=folder / "data", environ={})


async def filled(platform: Platform) -> None:
    submission = Submission("tide", "tide.txt", TIDE.encode(), plain_text=True)
    await platform.ingestor.submit("default", [submission])
    await platform.ingestor.settle("default")


def test_share_is_stable_for_a_conversation_and_stands_in_the_metrics(tmp_path: Path) -> None:
    said = says("The tide turns at noon [1].")
    rules: list[dict] = [{"name": "migration", "use": {"new": 50, "old": 50}}]
    users = [f"user {i}" for i in range(16)]

    async def run(settings: Settings) -> tuple[list[str], list[str], str]:
        async with open_platform(settings) as platform:
            await filled(platform)
            transport = httpx.ASGITransport(create_app(platform))
            http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")
            async with openai.AsyncOpenAI(base_url="http://127.0.0.1:8080/v1", api_key="x", http_client=http) as client:

                async def model_of(user: str, *later: str) -> str:
                    turns = [{"role": "user", "content": QUESTION}]
                    for question in later:
                        turns += [{"role": "assistant", "content": "At noon."}, {"role": "user", "content": question}]
                    answer = await client.chat.completions.create(model="ragstead", messages=turns, user=user)  # type: ignore[arg-type]
                    receipt = answer.model_extra["rag"]  # type: ignore[index]
                    assert receipt["route"] == "rule: migration"
                    return receipt["model"]

                first = [await model_of(user) for user in users]
                later = [await model_of(user, "And when does the harbour close in the evening?") for user in users]
                metrics = await http.get("/metrics")
                return first, later, metrics.text

    with ExitStack() as stack:
        models = {name: stack.enter_context(scripted(said)) for name in ("old", "new")}
        first, later, metrics = asyncio.run(run(settings_of(tmp_path, rules, models)))
    assert first == later
    assert set(first) == {"old", "new"}
    assert f'ragstead_routed_total{{model="new",route="rule: migration"}} {2.0 * first.count("new")}' in metrics


def test_shadow_answers_too_and_nobody_waits_for_it(tmp_path: Path) -> None:
    rules: list[dict] = [{"name": "trial", "use": "old", "shadow": {"model": "new"}}]

    async def run(settings: Settings) -> tuple[float, str]:
        async with open_platform(settings) as platform:
            await filled(platform)
            await platform.answerer.answer(AskRequest(QUESTION))
            began = time.monotonic()
            answer = await platform.answerer.answer(AskRequest(QUESTION))
            took = time.monotonic() - began
            log = settings.deployment.data_dir / "shadow.jsonl"
            for _ in range(100):
                if log.exists() and log.read_text().count("\n") == 2:
                    break
                await asyncio.sleep(0.05)
            return took, answer.content

    slow = [HEAD, 0.8, *says("At noon, says the almanac [1].")[1:]]
    with scripted(says("The tide turns at noon [1].")) as old, scripted(slow) as new:
        settings = settings_of(tmp_path, rules, {"old": old, "new": new})
        took, content = asyncio.run(run(settings))
    assert content == "The tide turns at noon [1]."
    assert took < 0.5
    lines = [json.loads(line) for line in (settings.deployment.data_dir / "shadow.jsonl").read_text().splitlines()]
    assert [(line["answer"]["model"], line["shadow"]["model"]) for line in lines] == [("old", "new")] * 2
    assert lines[0]["shadow"]["text"] == "At noon, says the almanac [1]."
    assert lines[0]["question"] == QUESTION


def test_hosted_model_gets_no_shadow_copy_and_no_share_of_a_closed_collection(tmp_path: Path) -> None:
    rules: list[dict] = [{"name": "r", "use": {"cloud": 100}, "shadow": {"model": "cloud"}}]

    async def run(settings: Settings) -> tuple[str, str]:
        async with open_platform(settings) as platform:
            await filled(platform)
            receipt = (await platform.answerer.answer(AskRequest(QUESTION))).receipt
            await asyncio.sleep(0.1)
            return receipt.model, receipt.route

    with scripted(says("no [1].")) as cloud, scripted(refuses(500)) as own:
        settings = settings_of(
            tmp_path, rules, {"cloud": cloud, "own": own}, hosted="cloud", answer={"generator": "own"}
        )
        model, why = asyncio.run(run(settings))
    assert model == "extractive"
    assert why == ("rule: r; fallback: cloud is hosted, and the collection does not say egress: allow; own is down")
    assert cloud.asked == []
    assert not (settings.deployment.data_dir / "shadow.jsonl").exists()


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        ([{"name": "r", "use": "nobody"}], "'nobody' is none of extractive, old"),
        ([{"name": "r", "use": "old", "shadow": {"model": "nobody"}}], "'nobody' is none of"),
        ([{"name": "r", "use": {"old": 60, "extractive": 30}}], "add up to 90"),
        ([{"name": "r", "use": "old", "when": {"hours": "08:00-18:00"}}], "no rule is sure to hold"),
    ],
)
def test_rules_that_can_not_be_kept_are_refused_at_the_start(tmp_path: Path, rules: list[dict], why: str) -> None:
    async def run(settings: Settings) -> None:
        async with open_platform(settings):
            raise AssertionError("it must not open")

    with scripted(says("yes")) as old, pytest.raises(ConfigurationError, match=why) as caught:
        asyncio.run(run(settings_of(tmp_path, rules, {"old": old})))
    assert caught.value.param == "deployment.generation.routing"
