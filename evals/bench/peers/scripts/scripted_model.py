"""A model server of OpenAI's chat API that says what it was told, as fast as it was told.

Its words are `PORT FIRST_MS BETWEEN_MS TEXT`. Each word of the text is an event of its own. Every byte is made before
the first request, so that it takes next to nothing of the machine. Only the standard library is imported; uvloop runs
it where it is installed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return one chunk of the transfer encoding."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    """Return one event of a completion."""
    view = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1760000000,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: %s\n\n" % json.dumps(view).encode()


def events(text: str) -> list[bytes]:
    """Return the chunks of an answer, one for each word, and one for its end."""
    words = [chunk(event({"content": word + " "})) for word in text.split()]
    usage = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1760000000, "model": "scripted"}
    counted = {
        **usage,
        "choices": [],
        "usage": {"prompt_tokens": 9, "completion_tokens": len(words), "total_tokens": 9},
    }
    last = chunk(event({}, "stop")) + chunk(b"data: %s\n\n" % json.dumps(counted).encode())
    return [*words, last + chunk(b"data: [DONE]\n\n") + END]


class Model:
    """Answers every request alike."""

    def __init__(self, first_s: float, between_s: float, text: str) -> None:
        self._first_s = first_s
        self._between_s = between_s
        self._chunks = events(text)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer on one connection until it is closed."""
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lines = head.lower().split(b"\r\n")
                length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
                await reader.readexactly(length)
                if head.startswith(b"GET"):
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
                    continue
                await asyncio.sleep(self._first_s)
                writer.write(HEAD)
                for number, one in enumerate(self._chunks):
                    if number:
                        await asyncio.sleep(self._between_s)
                    writer.write(one)
                    await writer.drain()
        writer.close()


async def main() -> None:
    """Serve until the process is stopped."""
    port, first_ms, between_ms, text = sys.argv[1:]
    model = Model(float(first_ms) / 1000, float(between_ms) / 1000, text)
    server = await asyncio.start_server(model.serve, "127.0.0.1", int(port), backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        import uvloop
    except ImportError:
        asyncio.run(main())
    else:
        uvloop.run(main())
