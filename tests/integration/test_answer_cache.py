"""Answers that are kept, in a running platform: hits over HTTP, rules, Redis, and changes of the collection."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from programs import needed
from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.pipelines.ingest import Submission
from ragstead.settings import Settings, load_settings
from ragstead_gateway.app import create_app
from redis_server import RedisServer

QUESTION = "When does the tide turn?"
Ask = Callable[..., Awaitable[dict]]


def settings_of(folder: Path, **cache: object) -> Settings:
    file = folder / "ragstead.yaml"
    file.write_text(yaml.safe_dump({"deployment": {"answer_cache": cache}}))
    return load_settings(file, data_dir=folder / "data", environ={})


async def add(platform: Platform, name: str, text: str) -> None:
    await platform.ingestor.submit("default", [Submission(name, f"{name}.txt", text.encode(), plain_text=True)])
    await platform.ingestor.settle("default")


def drive(settings: Settings, steps: Callable[[Platform, Ask], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_platform(settings) as platform:
            await add(platform, "tide", "The tide turns at noon. The project status is green.")
            transport = httpx.ASGITransport(create_app(platform))
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as http:

                async def ask(question: str = QUESTION, **rag: object) -> dict:
                    body = {"model": "ragstead", "messages": [{"role": "user", "content": question}], "rag": rag}
                    response = await http.post("/v1/chat/completions", json=body)
                    response.raise_for_status()
                    return response.json()

                await steps(platform, ask)

    asyncio.run(run())


def test_hit_says_so_and_a_change_of_the_documents_is_a_miss(tmp_path: Path) -> None:
    async def steps(platform: Platform, ask: Ask) -> None:
        first, second = await ask(), await ask(f"  {QUESTION} ")
        assert [one["rag"]["cache"] for one in (first, second)] == ["miss", "hit"]
        assert second["citations"] == first["citations"] != []
        assert second["choices"] == first["choices"]
        await platform.ingestor.delete("default", "tide")
        gone, again = await ask(), await ask()
        assert (gone["rag"]["refused"], gone["rag"]["cache"]) == (True, "miss")
        assert (again["rag"]["refused"], again["rag"]["cache"]) == (True, "hit")
        await add(platform, "tide", "The tide turns at four.")
        assert "four" in (await ask())["choices"][0]["message"]["content"]

    drive(settings_of(tmp_path), steps)


def test_filter_of_a_hit_is_its_own(tmp_path: Path) -> None:
    async def steps(_platform: Platform, ask: Ask) -> None:
        await ask()
        filtered = await ask(filter={"type": "eq", "key": "year", "value": 1999})
        assert (filtered["rag"]["cache"], filtered["rag"]["refused"]) == ("miss", True)

    drive(settings_of(tmp_path), steps)


def test_rules_say_how_long(tmp_path: Path) -> None:
    async def steps(_platform: Platform, ask: Ask) -> None:
        status = "What is the project STATUS?"
        assert [(await ask(status))["rag"]["cache"] for _ in range(2)] == ["miss", "hit"]
        await asyncio.sleep(0.5)
        assert (await ask(status))["rag"]["cache"] == "miss"
        other = "Who knows the harbour's number?"
        assert [(await ask(other))["rag"]["cache"] for _ in range(2)] == ["off", "off"]
        assert [(await ask())["rag"]["cache"] for _ in range(2)] == ["miss", "hit"]

    rules = [{"words": ["status"], "ttl_s": 0.4}, {"collections": ["default"], "words": ["number"], "ttl_s": 0}]
    drive(settings_of(tmp_path, rules=rules), steps)


@pytest.mark.parametrize("off", [{"ttl_s": 0}, {"max_bytes": 0}])
def test_cache_that_is_off_says_off(tmp_path: Path, off: dict[str, object]) -> None:
    async def steps(_platform: Platform, ask: Ask) -> None:
        assert [(await ask())["rag"]["cache"] for _ in range(2)] == ["off", "off"]

    drive(settings_of(tmp_path, **off), steps)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(needed("redis-server"), tmp_path)
    server.start()
    yield server
    server.stop()


def test_redis_keeps_answers_over_a_restart_and_its_end_is_a_miss(tmp_path: Path, redis: RedisServer) -> None:
    reference = tmp_path / "redis-url"
    reference.write_text(redis.url)
    settings = settings_of(tmp_path, url=f"file:{reference}")
    first: list[dict] = []

    async def fill(_platform: Platform, ask: Ask) -> None:
        first.append(await ask())
        assert first[0]["rag"]["cache"] == "miss"

    async def again(_platform: Platform, ask: Ask) -> None:
        kept = await ask()
        assert (kept["rag"]["cache"], kept["citations"]) == ("hit", first[0]["citations"])
        redis.stop()
        computed = await ask()
        assert (computed["rag"]["cache"], computed["citations"]) == ("miss", first[0]["citations"])

    drive(settings, fill)
    drive(settings, again)
