"""MLflow as the settings have it: the server that is started beside the platform, and how the registry is reached."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from ragstead.adapters.directory_lock import DirectoryLock, read_owner
from ragstead.adapters.mlflow.champions import is_healthy
from ragstead.adapters.mlflow.server import MlflowServer
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.blueprints import Blueprint
from ragstead.errors import Unavailable
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings, resolve_secret

if TYPE_CHECKING:
    from ragstead.adapters.mlflow.experiments import MlflowExperiments
    from ragstead.adapters.mlflow.registry import MlflowRegistry

_STARTS_WITHIN_S = 60.0
_PAUSE_S = 0.2
_MODEL_CODE = "answering_model.py"


@dataclass(frozen=True, slots=True)
class Mlflow:
    """What is kept in MLflow.

    Attributes:
        uri: Where.
        registry: Releases and promotions.
        experiments: Runs.
    """

    uri: str
    registry: MlflowRegistry
    experiments: MlflowExperiments


async def start_server(settings: Settings, stack: AsyncExitStack) -> MlflowServer:
    """Start MLflow's server beside the platform, and wait for nothing; it ends when `stack` is closed.

    Raises:
        Unavailable: If its port is taken, its folder can't be written, or another process serves it.
    """
    mlflow = settings.deployment.mlflow
    folder = mlflow.folder(settings.deployment.data_dir)
    async with AsyncExitStack() as starting:
        lock = DirectoryLock(folder)
        lock.acquire()
        starting.callback(lock.release)
        server = await asyncio.to_thread(MlflowServer, folder, mlflow.port)
        starting.push_async_callback(asyncio.to_thread, server.close)
        lock.publish(server.url)
        stack.push_async_callback(starting.pop_all().aclose)
        return server


async def wait_for_server(server: MlflowServer) -> None:
    """Return once the server answers.

    Raises:
        Unavailable: If it ends, or does not answer within a minute.
    """
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S):
            while not await is_healthy(server.url):
                if not server.is_running():
                    raise Unavailable("mlflow", f"MLflow's server ended: {server.last_words()}")
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError as error:
        told = f"MLflow's server at {server.url} does not answer; its log is {server.log}"
        raise Unavailable("mlflow", told) from error


async def open_mlflow(settings: Settings, stack: AsyncExitStack) -> Mlflow:
    """Return what reads and writes releases and runs; what is to be closed goes on `stack`.

    It is the configured server; else the one beside the platform on this data directory; else, where none runs, the
    files that such a server would serve.

    Raises:
        Unavailable: If the server that there is does not answer.
        ConfigurationError: If a secret's reference leads nowhere.
    """
    mlflow = settings.deployment.mlflow
    uri = mlflow.url.rstrip("/") if mlflow.url else await _beside(settings)
    if mlflow.url and not await is_healthy(uri, mlflow.timeout_s):
        raise Unavailable("mlflow", f"MLflow at {uri} does not answer; start it, or see deployment.mlflow.url")
    pool = ThreadWorkPool(1)
    stack.callback(pool.close)
    return await pool.run(lambda: _opened(uri, settings, pool))


def prompts_of(blueprint: Blueprint) -> Mapping[str, str]:
    """Return the texts of a release's prompts, for the prompt registry, by name."""
    texts = {name: asdict(one) for name, one in blueprint.templates.items()}
    texts |= {f"conversation-{name}": asdict(one) for name, one in blueprint.dialogue.items()}
    written = {name: yaml.safe_dump(parts, sort_keys=False, allow_unicode=True) for name, parts in texts.items()}
    return {**written, "planning": blueprint.planning}


async def _beside(settings: Settings) -> str:
    """Return the address of the server beside the platform; where none runs, that of its database."""
    folder = settings.deployment.mlflow.folder(settings.deployment.data_dir).absolute()
    patience = asyncio.get_running_loop().time() + settings.deployment.mlflow.timeout_s
    while (owner := read_owner(folder)) is not None:
        if owner.address and await is_healthy(owner.address, settings.deployment.mlflow.timeout_s):
            return owner.address
        if asyncio.get_running_loop().time() > patience:
            where = owner.address or folder
            raise Unavailable("mlflow", f"MLflow's server at {where} does not answer; its log is {folder}/server.log")
        await asyncio.sleep(_PAUSE_S)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable("mlflow", f"{folder} can't be made: {error.strerror}") from error
    return f"sqlite:///{folder / 'mlflow.db'}"


def _opened(uri: str, settings: Settings, pool: WorkPool) -> Mlflow:
    """Import MLflow, which takes two seconds, where that holds nobody up."""
    from ragstead.adapters.mlflow.connection import MlflowConnection  # noqa: PLC0415
    from ragstead.adapters.mlflow.experiments import MlflowExperiments  # noqa: PLC0415
    from ragstead.adapters.mlflow.registry import MlflowRegistry  # noqa: PLC0415

    mlflow = settings.deployment.mlflow
    token = resolve_secret(mlflow.token) if mlflow.token else None
    connection = MlflowConnection(uri, pool, token=token, timeout_s=mlflow.timeout_s)
    code = Path(__file__).with_name(_MODEL_CODE)
    return Mlflow(uri, MlflowRegistry(connection, code), MlflowExperiments(connection))
