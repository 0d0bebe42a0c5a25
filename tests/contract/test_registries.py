"""The suites of releases and runs over the fakes, a real MLflow server and the file that it serves."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path

import pytest

import ragstead.bootstrap.mlflow
from mlflow_server import mlflow_server, serving_mlflow  # noqa: F401 (one is a fixture)
from ragstead.adapters.mlflow.champions import MlflowChampions
from ragstead.adapters.mlflow.connection import MlflowConnection
from ragstead.adapters.mlflow.experiments import MlflowExperiments
from ragstead.adapters.mlflow.registry import MlflowRegistry
from ragstead.adapters.mlflow.server import MlflowServer
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.blueprints import configured
from ragstead.errors import Unavailable
from ragstead.ports.experiments import Experiments, FinishedRun
from ragstead.ports.registry import Promotion, Release
from ragstead.settings import Settings
from ragstead.testing.contracts import ExperimentsContract, RegistryContract, ReleaseStore
from ragstead.testing.contracts.registry import a_release
from ragstead.testing.experiments import MemoryExperiments
from ragstead.testing.registry import MemoryRegistry

MODEL_CODE = Path(ragstead.bootstrap.mlflow.__file__).with_name("answering_model.py")


class WithChampions(MlflowRegistry):
    """The registry, and what a gateway asks, which is another client of the same server."""

    champions: MlflowChampions

    async def champion(self) -> str | None:
        return await self.champions.champion()

    async def release(self, release_id: str) -> Release:
        return await self.champions.release(release_id)


@contextmanager
def connected(uri: str, timeout_s: float = 10) -> Iterator[MlflowConnection]:
    pool = ThreadWorkPool(1)
    try:
        yield MlflowConnection(uri, pool, timeout_s=timeout_s)
    finally:
        pool.close()


@asynccontextmanager
async def opened_registry(url: str) -> AsyncIterator[WithChampions]:
    with connected(url) as connection:
        store = WithChampions(connection, MODEL_CODE)
        store.champions = MlflowChampions(url, timeout_s=5)
        yield store
        await store.champions.close()


class TestMemoryRegistry(RegistryContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[ReleaseStore]:
        yield MemoryRegistry()


class TestMlflowRegistry(RegistryContract):
    url: str

    @pytest.fixture(autouse=True)
    def _server(self, mlflow_server: MlflowServer) -> None:  # noqa: F811
        self.url = mlflow_server.url

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[ReleaseStore]:
        async with opened_registry(self.url) as store:
            yield store


class TestMemoryExperiments(ExperimentsContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Experiments]:
        yield MemoryExperiments()


class TestMlflowExperiments(ExperimentsContract):
    url: str

    @pytest.fixture(autouse=True)
    def _server(self, mlflow_server: MlflowServer) -> None:  # noqa: F811
        self.url = mlflow_server.url

    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Experiments]:
        with connected(self.url) as connection:
            yield MlflowExperiments(connection)


def test_file_without_a_server_holds_what_a_server_on_it_shows(tmp_path: Path) -> None:
    """Without a server the verbs work on its files; a server that is started on them has it all."""
    release = a_release()

    async def without() -> str:
        with connected(f"sqlite:///{tmp_path / 'mlflow.db'}") as connection:
            registry = MlflowRegistry(connection, MODEL_CODE)
            await registry.register(release, {"answer": "Say {question}"})
            await registry.promote(Promotion(release.release_id, None, "promote", "ann", 1.0))
            return await MlflowExperiments(connection).log(
                FinishedRun("suite", "run", release.release_id, metrics={"f1": 0.5}, files={"a.txt": "words"})
            )

    async def beside(url: str, run_id: str) -> None:
        async with opened_registry(url) as store:
            assert await store.champion() == release.release_id
            assert await store.release(release.release_id) == release
            assert (await store.find("champion")).prompts == {"answer": 1}
        with connected(url) as connection:
            assert await MlflowExperiments(connection).file(run_id, "a.txt") == b"words"

    run_id = asyncio.run(without())
    with serving_mlflow(tmp_path) as server:
        asyncio.run(beside(server.url, run_id))


def test_registering_a_release_asks_it_nothing(
    mlflow_server: MlflowServer,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with opened_registry(mlflow_server.url) as store:
            await store.register(configured(Settings(), "an index").release, {})

    monkeypatch.chdir(tmp_path)
    asyncio.run(scenario())
    assert list(tmp_path.iterdir()) == []  # no data directory was opened, and MLflow made no files of its own here


def test_run_is_attached_to_its_release(mlflow_server: MlflowServer) -> None:  # noqa: F811
    async def scenario() -> None:
        async with opened_registry(mlflow_server.url) as store:
            release = (await store.register(a_release(), {})).release
        with connected(mlflow_server.url) as connection:
            run_id = await MlflowExperiments(connection).log(
                FinishedRun("handbook", "run", release.release_id, metrics={"ndcg@10": 0.5})
            )
            tags = await connection.run(
                lambda client: client.search_model_versions(f"tags.release = '{release.release_id}'")[0].tags
            )
            assert tags["evaluation.handbook"] == run_id
            metrics = await connection.run(
                lambda client: (
                    client.search_logged_models(
                        [client.get_experiment_by_name("ragstead releases").experiment_id],
                        filter_string=f"tags.release = '{release.release_id}'",
                    )[0].metrics
                )
            )
            assert [(one.key, one.value) for one in metrics or []] == [("ndcg_at_10", 0.5)]

    asyncio.run(scenario())


def test_manifest_that_somebody_changed_is_refused(mlflow_server: MlflowServer) -> None:  # noqa: F811
    async def scenario() -> None:
        async with opened_registry(mlflow_server.url) as store:
            release = (await store.register(a_release(), {})).release
            folder = mlflow_server.log.parent / "artifacts"
            (path,) = [
                found for found in folder.rglob("manifest.json") if str(release.manifest["mark"]) in found.read_text()
            ]
            path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
            with pytest.raises(Exception, match="changed or damaged"):
                await store.release(release.release_id)

    asyncio.run(scenario())


@contextmanager
def silent_server() -> Iterator[str]:
    """Takes connections and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        kept: list[socket.socket] = []

        def take() -> None:
            while True:
                try:
                    kept.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for one in kept:
            one.close()


def test_server_that_is_silent_or_gone_is_unavailable_in_bounded_time() -> None:
    async def asked(url: str) -> None:
        champions = MlflowChampions(url, timeout_s=1)
        with connected(url, timeout_s=1) as connection:
            registry = MlflowRegistry(connection, MODEL_CODE)
            for attempt in (champions.champion(), champions.release("r-1"), registry.find("champion"), registry.list()):
                with pytest.raises(Unavailable, match="MLflow at"):
                    await attempt
        await champions.close()

    began = time.monotonic()
    with silent_server() as url:
        asyncio.run(asked(url))
    asyncio.run(asked("http://127.0.0.1:9"))
    assert time.monotonic() - began < 30
