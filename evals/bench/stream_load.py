"""Streams chat completions from a server: the time to the first words, and how many a second."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from evals.bench.product import Undrivable

PATH = "/v1/chat/completions"
_WORDS = b'"content":'


@dataclass
class Streamed:
    """What was measured of some streams.

    Attributes:
        first_ms: From each request to its first words.
        whole_ms: To its end.
        seconds: All of them together.
        refused: Answers that were none.
    """

    first_ms: list[float] = field(default_factory=list)
    whole_ms: list[float] = field(default_factory=list)
    seconds: float = 0.0
    refused: int = 0

    @property
    def a_second(self) -> float:
        """Answers a second."""
        return len(self.whole_ms) / self.seconds


def request_of(body: Mapping[str, object], *headers: str) -> bytes:
    """The bytes of a request."""
    sent = json.dumps(body).encode()
    head = [f"POST {PATH} HTTP/1.1", "host: 127.0.0.1", "authorization: Bearer x", "content-type: application/json"]
    return "\r\n".join([*head, f"content-length: {len(sent)}", *headers, "", ""]).encode() + sent


async def streams(
    port: int, body: Mapping[str, object], *, clients: int, seconds: float, mark: bytes | None = None
) -> Streamed:
    """Ask again and again over some connections for a while.

    Args:
        port: Of the server.
        body: Of each request.
        clients: Connections, each with one stream at a time; they begin one after the other, within a second.
        seconds: After which no more are begun.
        mark: What stands in the event whose time is `first_ms`; None for the first words.

    Raises:
        Undrivable: If a stream does not end as it should.
    """
    found, request = Streamed(), request_of(body)
    began = time.perf_counter()
    await asyncio.gather(
        *(
            _client(port, request, (began + i / clients * min(1, seconds / 2), began + seconds), found, mark or _WORDS)
            for i in range(clients)
        )
    )
    found.seconds = time.perf_counter() - began
    return found


class _Refused(Exception):
    """Raised where an answer has another status than 200."""


async def _client(port: int, request: bytes, span: tuple[float, float], found: Streamed, mark: bytes) -> None:
    await asyncio.sleep(span[0] - time.perf_counter())
    while time.perf_counter() < span[1]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < span[1]:
                began = time.perf_counter()
                writer.write(request)
                first = await _until(reader, mark)
                found.whole_ms.append((await _until(reader, b"data: [DONE]") - began) * 1000)
                found.first_ms.append((first - began) * 1000)
                await _end(reader)
        except _Refused:
            found.refused += 1
        except (OSError, asyncio.IncompleteReadError) as error:
            raise Undrivable(f"port {port} broke off: {error!r}") from error
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


async def _until(reader: asyncio.StreamReader, mark: bytes) -> float:
    """Read lines until one has the mark; an empty `content` is none. Returns when it came."""
    while True:
        line = await reader.readuntil(b"\n")
        if mark in line and b'"content":""' not in line and b'"content": ""' not in line:
            return time.perf_counter()
        if line.startswith(b"HTTP/1.1 ") and b" 200 " not in line:
            raise _Refused


async def _end(reader: asyncio.StreamReader) -> None:
    """Read to the end of the transfer encoding."""
    while (await reader.readuntil(b"\r\n")) != b"0\r\n":
        pass
    await reader.readuntil(b"\r\n")
