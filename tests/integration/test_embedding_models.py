"""Other models than the default: from a folder, from a model hub, in the place of one that can't be had, far away."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from contract.tiny_checkpoints import make_bert
from integration.embedding_process import service
from integration.model_hub import model_hub
from ragstead.bootstrap.embedding import serve_embedding
from ragstead.bootstrap.models import weights_dir
from ragstead.bootstrap.platform import open_platform
from ragstead.errors import ConfigurationError, Forbidden, IndexMismatch, NotFound, Unavailable
from ragstead.model import Strategy
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.ingest import Submission
from ragstead.pipelines.retrieve import SearchRequest
from ragstead.settings import Settings, load_settings
from ragstead_embedding.app import create_app
from services.fake_platform import hash_embedding
from services.live_server import serving

REVISION = "a" * 40
TINY = {"dim": 32, "max_tokens": 128, "query_prefix": "query: ", "revision": REVISION}
CHUNKER = {"max_tokens": 120, "target_tokens": 80}


def settings_of(folder: Path, **parts: object) -> Settings:
    """Settings from a file, as a user gives them: `pipeline` and `deployment` beside folders of the test's own."""
    deployment = {"models_dir": str(folder / "models"), **dict(parts.get("deployment", {}))}  # type: ignore[call-overload]
    file = folder / "ragstead.yaml"
    file.write_text(yaml.safe_dump({"pipeline": parts.get("pipeline", {}), "deployment": deployment}))
    return load_settings(file, data_dir=folder / "data", environ={})


def tiny(folder: Path, **embedding: object) -> Settings:
    """Settings whose model is a tiny one in a folder."""
    source = make_bert(folder / "tiny", weights_dir() / "tokenizer.json")
    return settings_of(
        folder,
        pipeline={"embedder": {"model": "tiny", "models": {"tiny": TINY}}, "chunker": CHUNKER},
        deployment={"embedding": {"folders": {"tiny": str(source)}, **embedding}},
    )


def submission(name: str, text: str) -> Submission:
    return Submission(name, f"{name}.txt", text.encode(), plain_text=True)


async def search_once(settings: Settings, collection: str = "default") -> list[str]:
    async with open_platform(settings) as platform:
        await platform.ingestor.submit(
            collection, [submission("a", "The tide turns at noon."), submission("b", "Bees")]
        )
        counts = (await platform.ingestor.settle(collection)).counts
        assert sum(counts.values()) == 2
        found = await platform.retriever.search(SearchRequest("when does the tide turn", collection))
        return [hit.stored.document_id for hit in found.hits]


def test_platform_runs_on_a_model_of_the_users_own_in_a_folder(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    assert asyncio.run(search_once(settings))[0] == "a"

    async def check() -> None:
        async with serve_embedding(settings) as opened:
            embedder = opened.embedding.pipeline
            assert (embedder.dim, embedder.max_tokens) == (32, 128)
            assert embedder.identity.startswith("tiny@")
            asked, kept = [(await embedder.embed(["tide"], role))[0] for role in ("query", "passage")]
            written = (await embedder.embed(["query: tide"], "passage"))[0]
            assert asked @ written > 0.9999 > asked @ kept
            assert opened.embedding.aliases == frozenset()  # they stand for the default model's vectors

    asyncio.run(check())


def test_collection_of_one_model_is_never_searched_with_another(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    asyncio.run(search_once(settings))
    other = settings_of(tmp_path)

    async def search(strategy: Strategy) -> None:
        async with open_platform(other) as platform:
            await platform.retriever.search(SearchRequest("tide", strategy=strategy))

    async def ingest() -> str | None:
        async with open_platform(other) as platform:
            await platform.ingestor.submit("default", [submission("c", "The ferry sails at ten.")])
            settled = await platform.ingestor.settle("default")
            listed = await platform.documents.list(settled.collection_id, limit=10, after=None)
            return next(one.reason for one in listed if one.document_id == "c")

    assert "was indexed with tiny@" in str(asyncio.run(ingest()))
    (tmp_path / "data" / "running").touch()  # as a kill leaves it: what that collection holds is not looked into
    for strategy in (Strategy.HYBRID, Strategy.DENSE):
        with pytest.raises(IndexMismatch, match=r"was indexed with tiny@.*all-MiniLM-L6-v2@53aa5117/int8.*is running"):
            asyncio.run(search(strategy))


def test_chunks_that_the_model_can_not_read_whole_are_refused(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    chunker = settings.pipeline.chunker.model_copy(update={"max_tokens": 127})
    long = settings.model_copy(update={"pipeline": settings.pipeline.model_copy(update={"chunker": chunker})})
    with pytest.raises(ConfigurationError, match="tiny reads 126"):
        asyncio.run(search_once(long))


def test_fallback_is_served_under_its_own_name_where_the_first_can_not_be_had(tmp_path: Path) -> None:
    wanted = {"model": "tiny", "fallback": "all-MiniLM-L6-v2", "models": {"tiny": {**TINY, "repo": None}}}
    settings = settings_of(tmp_path, pipeline={"embedder": wanted, "chunker": CHUNKER})

    async def check() -> None:
        async with serve_embedding(settings) as opened:
            assert opened.embedding.name == "all-MiniLM-L6-v2"
            assert opened.embedding.pipeline.identity == "all-MiniLM-L6-v2@53aa5117/int8"
            assert "text-embedding-3-small" in opened.embedding.aliases

    asyncio.run(check())
    alone = settings_of(tmp_path, pipeline={"embedder": {**wanted, "fallback": None}, "chunker": CHUNKER})

    async def fails() -> None:
        async with serve_embedding(alone):
            pass

    with pytest.raises(Unavailable, match=r"tiny is nowhere: name its folder in deployment\.embedding\.folders"):
        asyncio.run(fails())


def export(folder: Path, hub_url: str, **embedding: object) -> subprocess.CompletedProcess[str]:
    """`ragstead models export` of a model that the hub has; a process, as the hub's client reads its address once."""
    row = {**TINY, "repo": "someone/tiny"}
    deployment = {"models_dir": str(folder / "models"), "embedding": embedding}
    config = folder / "hub.yaml"
    config.write_text(
        yaml.safe_dump({"pipeline": {"embedder": {"model": "tiny", "models": {"tiny": row}}}, "deployment": deployment})
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environ = {**kept, "HF_ENDPOINT": hub_url, "HF_HOME": str(folder / "hub-cache"), "HF_HUB_DISABLE_TELEMETRY": "1"}
    command = [sys.executable, "-m", "ragstead_cli.main", "models", "export", "--runtime", "onnx-int8", "--json"]
    return subprocess.run(
        [*command, "--config", str(config)], env=environ, capture_output=True, text=True, timeout=120, check=False
    )


def test_model_comes_from_the_hub_once_and_offline_asks_nobody(tmp_path: Path) -> None:
    source = make_bert(tmp_path / "published", weights_dir() / "tokenizer.json")
    with model_hub("someone/tiny", REVISION, source) as hub:
        offline = export(tmp_path, hub.url, offline=True)
        assert (offline.returncode, hub.requests) == (4, [])
        assert "someone/tiny@aaaaaaaa is not on this disk" in offline.stderr
        fetched = export(tmp_path, hub.url)
        assert fetched.returncode == 0, fetched.stderr
        assert Path(json.loads(fetched.stdout)["models"]["onnx-int8"]).is_file()
        assert f"GET /someone/tiny/resolve/{REVISION}/model.safetensors" in hub.requests
        hub.requests.clear()
        (tmp_path / "models").rename(tmp_path / "models-before")
        again = export(tmp_path, hub.url, offline=True)
        assert (again.returncode, hub.requests) == (0, []), again.stderr


def test_weights_that_are_not_the_reviewed_ones_are_refused(tmp_path: Path) -> None:
    settings = tiny(tmp_path)
    row = {**TINY, "weights_sha256": "0" * 64}
    strict = settings_of(
        tmp_path,
        pipeline={"embedder": {"model": "tiny", "models": {"tiny": row}}},
        deployment={"embedding": {"folders": {"tiny": str(settings.deployment.embedding.folders["tiny"])}}},
    )

    async def opened() -> None:
        async with serve_embedding(strict):
            pass

    with pytest.raises(Unavailable, match="not 0000"):
        asyncio.run(opened())


def test_platform_embeds_by_a_service_and_its_collections_are_those_of_the_model_at_home(tmp_path: Path) -> None:
    at_home = settings_of(tmp_path)
    asyncio.run(search_once(at_home))

    async def check(url: str) -> None:
        away = settings_of(tmp_path, deployment={"embedding": {"remote": {"url": url}}})
        async with open_platform(away) as platform:
            assert platform.embedding.device == url
            found = await platform.retriever.search(SearchRequest("when does the tide turn"))
            assert found.hits[0].stored.document_id == "a"
            await platform.ingestor.submit("default", [submission("c", "The ferry sails at ten.")])
            await platform.ingestor.settle("default")
            answer = await platform.answerer.answer(AskRequest("When does the ferry sail?"))
            assert "at ten" in answer.content

    with service("--port", "0", "--config", str(tmp_path / "ragstead.yaml")) as (_, url):
        asyncio.run(check(url))


def test_service_that_serves_another_model_or_none_is_refused_at_the_start(tmp_path: Path) -> None:
    async def opened(settings: Settings) -> None:
        async with open_platform(settings):
            pass

    with serving(create_app(hash_embedding(), Settings())) as url:
        remote = {"embedding": {"remote": {"url": url}}}
        with pytest.raises(ConfigurationError, match="32 dimensions and reads 16 tokens"):
            asyncio.run(opened(settings_of(tmp_path, deployment=remote)))
        with pytest.raises(NotFound, match="gte-large"):
            asyncio.run(opened(settings_of(tmp_path, pipeline={"embedder": {"model": "gte-large"}}, deployment=remote)))
    nobody = settings_of(tmp_path, deployment={"embedding": {"remote": {"url": "http://127.0.0.1:9"}}})
    with pytest.raises(Unavailable, match="can't be reached"):
        asyncio.run(opened(nobody))


HOSTED = {"runtime": "hosted", "model": "all-MiniLM-L6-v2"}
NARROW = {"all-MiniLM-L6-v2": {"dim": 32, "max_tokens": 512}}


def hosted(folder: Path, url: str) -> Settings:
    return settings_of(
        folder,
        pipeline={"embedder": {**HOSTED, "models": NARROW}},
        deployment={"embedding": {"hosted": {"base_url": f"{url}/v1"}}},
    )


def test_nothing_leaves_for_a_hosted_api_without_the_owners_word(tmp_path: Path) -> None:
    asked: list[int] = []
    served = hash_embedding()
    app = create_app(served, Settings())

    async def counting(scope, receive, send):
        if scope["type"] == "http":
            asked.append(1)
        await app(scope, receive, send)

    async def check(url: str) -> None:
        settings = hosted(tmp_path, url)
        async with open_platform(settings) as platform:
            assert platform.embedding.leaves
            with pytest.raises(Forbidden, match=r'"egress": "allow"'):
                await platform.ingestor.submit("default", [submission("a", "The tide turns at noon.")])
            await platform.create_collection("closed", {"egress": "deny"})
            with pytest.raises(Forbidden, match="'closed'"):
                await platform.ingestor.submit("closed", [submission("a", "The tide turns at noon.")])
            with pytest.raises(Forbidden, match="'closed'"):
                await platform.retriever.search(SearchRequest("tide", "closed"))
            assert asked == []
            await platform.create_collection("open", {"egress": "allow"})
            await platform.ingestor.submit("open", [submission("a", "The tide turns at noon.")])
            await platform.ingestor.settle("open")
            found = await platform.retriever.search(SearchRequest("tide", "open"))
            assert [hit.stored.document_id for hit in found.hits] == ["a"]
            assert asked

    with serving(counting) as url:
        asyncio.run(check(url))


def test_collection_that_is_closed_again_is_not_embedded_any_more(tmp_path: Path) -> None:
    async def check(url: str) -> None:
        async with open_platform(hosted(tmp_path, url)) as platform:
            made = await platform.create_collection("open", {"egress": "allow"})
            await platform.collections.change(made.collection_id, name=None, metadata={})
            with pytest.raises(Forbidden):
                await platform.retriever.search(SearchRequest("tide", "open"))

    with serving(create_app(hash_embedding(), Settings())) as url:
        asyncio.run(check(url))


def test_hosted_without_an_address_is_refused(tmp_path: Path) -> None:
    async def opened() -> None:
        async with open_platform(settings_of(tmp_path, pipeline={"embedder": HOSTED})):
            pass

    with pytest.raises(ConfigurationError, match="does not say where"):
        asyncio.run(opened())
