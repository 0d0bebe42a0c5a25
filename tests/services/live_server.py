"""The real server, in a thread of its own on a free port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from starlette.types import ASGIApp

from ragstead.bootstrap.platform import open_platform
from ragstead.pipelines.ingest import Submission
from ragstead.settings import Settings
from ragstead_gateway.app import create_app
from ragstead_serving.server import bind, run, serve


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve `app` and give its URL."""

    @asynccontextmanager
    async def there() -> AsyncIterator[ASGIApp]:
        yield app

    with _serving(there) as url:
        yield url


@contextmanager
def serving_platform(
    settings: Settings, collections: Mapping[str, Sequence[Submission]], api_keys: Sequence[str] = ()
) -> Iterator[str]:
    """Serve a whole platform that holds these documents, and give its URL."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[ASGIApp]:
        async with open_platform(settings) as platform:
            for name, submissions in collections.items():
                await platform.ingestor.submit(name, submissions)
                await platform.ingestor.settle(name)
            yield create_app(platform, api_keys=api_keys)

    with _serving(opened) as url:
        yield url


@contextmanager
def _serving(opened: Callable[[], AbstractAsyncContextManager[ASGIApp]]) -> Iterator[str]:
    listener = bind("127.0.0.1", 0)
    ready = threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        ends.append((asyncio.get_running_loop(), stop))
        async with opened() as app:
            await serve(app, listener, on_ready=lambda _: ready.set(), stop=stop)

    thread = threading.Thread(target=lambda: run(main()))
    thread.start()
    assert ready.wait(30)
    try:
        yield listener.url
    finally:
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(15)
        assert not thread.is_alive()
