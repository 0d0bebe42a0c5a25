"""The real server, in a thread of its own on a free port."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp

from ragstead_serving.server import bind, run, serve


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """Serve `app` and give its URL."""
    listener = bind("127.0.0.1", 0)
    ready = threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        ends.append((asyncio.get_running_loop(), stop))
        await serve(app, listener, on_ready=lambda _: ready.set(), stop=stop)

    thread = threading.Thread(target=lambda: run(main()))
    thread.start()
    assert ready.wait(10)
    try:
        yield listener.url
    finally:
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(15)
        assert not thread.is_alive()
