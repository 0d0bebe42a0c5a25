"""A model server whose every byte is scripted: it answers, dawdles, talks nonsense, breaks off, and hears hang-ups."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

Step = bytes | float | str
"""Bytes to send, seconds to wait, or `abort`: the connection is torn down."""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def event(text: str | None = None, *, finish: str | None = None, usage: tuple[int, int] | None = None) -> bytes:
    """One event of a streamed chat completion, and of a plain one."""
    choice = {"index": 0, "delta": {"content": text} if text else {}, "text": text or "", "finish_reason": finish}
    view: dict[str, object] = {"object": "chat.completion.chunk", "choices": [choice]}
    if usage:
        view |= {"choices": [], "usage": {"prompt_tokens": usage[0], "completion_tokens": usage[1]}}
    return f"data: {json.dumps(view)}\n\n".encode()


DONE = b"data: [DONE]\n\n"


def says(*words: str, finish: str = "stop") -> list[Step]:
    """A whole answer."""
    return [HEAD, *(event(word) for word in words), event(finish=finish), event(usage=(11, 7)), DONE]


def refuses(status: int, message: str = "no", *headers: str) -> list[Step]:
    """An answer that is none."""
    body = json.dumps({"error": {"message": message, "type": "t", "code": None}}).encode()
    lines = [f"HTTP/1.1 {status} X", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers]
    return [("\r\n".join([*lines, "Connection: close"]) + "\r\n\r\n").encode() + body]


class ScriptedModel:
    """What was asked, and how it is answered: each request by the next script, the last one for ever."""

    def __init__(self, *scripts: Sequence[Step]) -> None:
        self.scripts = list(scripts)
        self.asked: list[dict[str, object]] = []
        self.paths: list[str] = []
        self.headers: list[str] = []
        self.hung_up = threading.Event()
        self.base_url = ""
        self.over = asyncio.Event()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play one script to one caller."""
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            length = next(
                int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-l")
            )
            self.headers.append(head)
            self.paths.append(head.split(" ")[1])
            self.asked.append(json.loads(await reader.readexactly(length)))
            script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
            watching, over = asyncio.ensure_future(reader.read()), asyncio.ensure_future(self.over.wait())
            for step in script:
                if isinstance(step, bytes):
                    writer.write(step)
                    try:
                        await writer.drain()
                    except ConnectionError:
                        self.hung_up.set()  # seen by writing before it was seen by reading
                        raise
                elif isinstance(step, str):
                    writer.transport.abort()
                else:
                    await asyncio.wait({watching, over}, timeout=step, return_when=asyncio.FIRST_COMPLETED)
                if watching.done():
                    self.hung_up.set()
                if watching.done() or over.done():
                    break
            for waiting in (watching, over):
                waiting.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await waiting
        writer.close()


@contextmanager
def scripted(*scripts: Sequence[Step]) -> Iterator[ScriptedModel]:
    """Serve the scripts on loopback until the block ends."""
    model = ScriptedModel(*scripts)
    ready = threading.Event()
    ends: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        stop = asyncio.Event()
        server = await asyncio.start_server(model.answer, "127.0.0.1", 0)
        model.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        ends.append((asyncio.get_running_loop(), stop))
        ready.set()
        await stop.wait()
        server.close()
        model.over.set()
        while answering := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(answering)

    thread = threading.Thread(target=lambda: asyncio.run(main()))
    thread.start()
    assert ready.wait(10)
    try:
        yield model
    finally:
        loop, stop = ends[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        assert not thread.is_alive()
