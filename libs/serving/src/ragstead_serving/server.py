"""A process that answers: the port is bound first, the loop is uvloop's, and a signal ends it in order."""

from __future__ import annotations

import asyncio
import errno
import gc
import importlib.util
import signal
import socket
import threading
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import uvicorn
from starlette.types import ASGIApp

from ragstead.errors import ConfigurationError

T = TypeVar("T")
_GRACE_S = 10
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class Listener:
    """A bound, listening socket; clients that come before the server runs wait in its queue.

    Attributes:
        socket: Closed by whoever serves on it.
        host: As it was asked for.
        port: The real one, also where 0 was asked for.
    """

    socket: socket.socket
    host: str
    port: int

    @property
    def url(self) -> str:
        """Where clients of this machine reach it."""
        reachable = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)  # noqa: S104
        name = f"[{reachable}]" if ":" in reachable and not reachable.startswith("[") else reachable
        return f"http://{name}:{self.port}"


def bind(host: str, port: int) -> Listener:
    """Take the port, or any free one for 0.

    Raises:
        ConfigurationError: If the port is taken or not allowed, or the host is no address of this machine.
    """
    if not 0 <= port <= 65535:
        raise ConfigurationError(f"port {port} is not between 0 and 65535", param="deployment.port")
    taken: socket.socket | None = None
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        taken = socket.socket(family, kind, proto)
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(_BACKLOG)
    except OSError as exc:
        if taken is not None:
            taken.close()
        raise _explained(host, port, exc) from exc
    taken.setblocking(False)
    return Listener(taken, host, int(taken.getsockname()[1]))


def _explained(host: str, port: int, exc: OSError) -> ConfigurationError:
    if exc.errno == errno.EADDRINUSE:
        what = f"port {port} on {host} is taken; stop what uses it, or choose another port"
        return ConfigurationError(what, param="deployment.port", code="port_taken")
    if exc.errno == errno.EACCES:
        return ConfigurationError(f"port {port} needs more rights; choose one above 1023", param="deployment.port")
    return ConfigurationError(f"host {host!r} can't be bound: {exc}", param="deployment.host")


async def serve(
    app: ASGIApp,
    listener: Listener,
    *,
    on_ready: Callable[[str], None] | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Answer requests until SIGINT, SIGTERM or `stop`; then let those in flight end, for ten seconds at most.

    Args:
        app: What answers.
        listener: Where; closed at the end.
        on_ready: Called once, with the URL, when requests are answered.
        stop: Ends the server when set.
    """
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whoever calls can write X-Forwarded-*
        timeout_graceful_shutdown=_GRACE_S,
    )
    gc.collect()
    gc.freeze()  # what was made at the start stays: no collection looks through it again while somebody waits
    server = _Server(config, lambda: on_ready(listener.url) if on_ready else None)
    watching = asyncio.create_task(_stop_when_set(server, stop)) if stop is not None else None
    try:
        await server.serve(sockets=[listener.socket])
    finally:
        listener.socket.close()
        if watching is not None:
            watching.cancel()


async def _stop_when_set(server: uvicorn.Server, stop: asyncio.Event) -> None:
    await stop.wait()
    server.should_exit = True


class _Server(uvicorn.Server):
    """uvicorn's, telling when it is ready, and leaving the process alive after a signal so that it can tidy up."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def run(main: Coroutine[object, object, T]) -> T:
    """Run `main` to its end on uvloop, or on asyncio's own loop where the platform has no uvloop."""
    factory: Callable[[], asyncio.AbstractEventLoop] | None = None
    if importlib.util.find_spec("uvloop"):
        import uvloop  # noqa: PLC0415  (not on Windows)

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
