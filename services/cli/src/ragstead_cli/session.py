"""Finds the platform that owns the data directory, or becomes it: one HTTP API either way."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING

import httpx

from ragstead.bootstrap.ownership import Owner, read_owner
from ragstead.errors import NotFound, StoreInUse
from ragstead_cli.api import Api
from ragstead_cli.output import log_in_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

    from fastapi import FastAPI

    from ragstead.bootstrap.platform import Platform
    from ragstead.settings import Settings
    from ragstead_cli.verb import Invocation

API_KEY_VARIABLE = "RAGSTEAD_API_KEY"
_PATIENCE_S = 10.0
_PAUSE_S = 0.1
_NO_SOCKET = httpx.Timeout(None)
_TIMEOUT = httpx.Timeout(600.0, connect=5.0)


@contextlib.asynccontextmanager
async def connect(
    invocation: Invocation, settings: Settings | None = None, *, finds: bool = False
) -> AsyncIterator[Api]:
    """Give the API of the platform that owns the data directory; where none runs, of one composed here.

    Args:
        invocation: Names the configuration and the data directory.
        settings: Those of the invocation where they were read already.
        finds: Whether the verb only looks at what is there; a data directory that is not is then not made.

    Raises:
        NotFound: If the verb only looks, and there is no data directory.
        StoreInUse: If the directory is held, for ten seconds on end, by a process that can't be talked to.
    """
    settings = settings or invocation.settings()
    data_dir = settings.deployment.data_dir
    if finds and not data_dir.exists():
        hint = "`ragstead ingest` makes one; --data-dir or RAGSTEAD_DATA_DIR names that of a platform that runs"
        raise NotFound("data directory", str(data_dir.absolute()), hint)
    async with contextlib.AsyncExitStack() as stack:
        claimed = await _claim(settings, stack)
        if isinstance(claimed, Owner):
            yield await stack.enter_async_context(_remote_api(claimed, _authorization(settings, invocation.environ)))
        else:
            from ragstead_gateway.app import create_app

            yield await stack.enter_async_context(local_api(create_app(claimed), settings))


@contextlib.asynccontextmanager
async def local_api(app: FastAPI, settings: Settings, api_keys: Sequence[str] = ()) -> AsyncIterator[Api]:
    """Give the API of an application in this process, without a socket; `api_keys` as it was made with."""
    hosts = [host for host in settings.deployment.allowed_hosts if "*" not in host] or ["127.0.0.1"]
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    base_url = f"http://{hosts[0]}:{settings.deployment.port}"
    async with httpx.AsyncClient(
        transport=transport, base_url=base_url, headers=_bearer(*api_keys[:1]), timeout=_NO_SOCKET
    ) as client:
        yield Api(client, "the platform in this process")


def _authorization(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that show our key: the caller's own, else one that the configuration refers to."""
    key = environ.get(API_KEY_VARIABLE, "").strip()
    if not key and settings.deployment.api_keys:
        from ragstead.settings import resolve_secret

        key = resolve_secret(settings.deployment.api_keys[0], environ)
    return _bearer(key)


def _bearer(key: str = "") -> dict[str, str]:
    return {"authorization": f"Bearer {key}"} if key else {}


@contextlib.asynccontextmanager
async def _remote_api(owner: Owner, headers: Mapping[str, str]) -> AsyncIterator[Api]:
    # No proxy of the environment's: the owner is on this machine.
    async with httpx.AsyncClient(
        base_url=str(owner.address), headers=dict(headers), timeout=_TIMEOUT, trust_env=False
    ) as client:
        yield Api(client, f"the platform at {owner.address} (process {owner.pid})")


async def _claim(settings: Settings, stack: contextlib.AsyncExitStack) -> Owner | Platform:
    """Return the owner that answers, or the platform opened on the directory that nobody holds."""
    data_dir = settings.deployment.data_dir
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        owner = read_owner(data_dir)
        if owner is None:
            from ragstead.bootstrap.live import Serving
            from ragstead.bootstrap.platform import open_platform

            log_in_lines()
            with contextlib.suppress(StoreInUse):  # somebody was faster: look who it is
                return await stack.enter_async_context(open_platform(settings, Serving(champion=True)))
        elif owner.address and await _is_alive(owner.address):
            return owner
        if time.monotonic() > deadline:
            raise _unreachable(data_dir, owner or Owner(0, None, 0.0))
        await asyncio.sleep(_PAUSE_S)


async def _is_alive(address: str) -> bool:
    async with httpx.AsyncClient(timeout=3.0, trust_env=False) as client:
        try:
            return (await client.get(f"{address}/health/live")).is_success
        except httpx.HTTPError:
            return False


def _unreachable(data_dir: Path, owner: Owner) -> StoreInUse:
    trouble = "does not answer" if owner.address else "serves no API"
    return StoreInUse(
        f"data directory {data_dir} is held by {owner}, which {trouble}; "
        "wait for it to end or stop it, or give another with --data-dir"
    )
