"""Parses files in child processes with limits on time and memory, so that a hostile file takes nothing else down."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ragstead.errors import Unavailable, UnreadableDocument
from ragstead.model import ExtractedText, Heading

_CHILD_MODULE = "ragstead.bootstrap.parse_child"
_KIND_OF_DEATH = {
    -signal.SIGKILL: "was killed, most likely as it took too much memory",
    -signal.SIGXCPU: "took more CPU time than is allowed",
    -signal.SIGSEGV: "crashed",
    -signal.SIGABRT: "crashed",
    -signal.SIGBUS: "crashed",
}


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """What one file may take, and how many children there are.

    Attributes:
        processes: Children at work at once; more files wait.
        timeout_s: Wall-clock seconds for a file, start of the child included.
        cpu_s: CPU seconds for a file.
        memory_bytes: Address space of a child; enforced on Linux.
        max_file_bytes: Size of a file.
        max_text_chars: Length of its extracted text.
        idle_s: Seconds after which a child without work ends.
        files_per_child: After how many files a child is replaced, which bounds what a library leaks.
    """

    processes: int = 2
    timeout_s: float = 120.0
    cpu_s: int = 100
    memory_bytes: int = 2 << 30
    max_file_bytes: int = 256 << 20
    max_text_chars: int = 20_000_000
    idle_s: float = 60.0
    files_per_child: int = 500


@dataclass(slots=True, eq=False)
class _Child:
    process: asyncio.subprocess.Process
    files: int = 0
    retirement: asyncio.TimerHandle | None = None


class ProcessParser:
    """Implements `ragstead.ports.loader.Parser` over a pool of child processes, started as they are needed.

    A child that crashes, hangs or runs over a limit is killed; its file fails with the reason, the others go
    on. All children end with `aclose`, with this process, and after a while without work. Use it on one
    event loop.

    Args:
        limits: What a file may take.
        environment: The children's environment variables; None leaves them those that Python needs to start.
    """

    def __init__(self, limits: ParseLimits = ParseLimits(), *, environment: Mapping[str, str] | None = None) -> None:
        self._limits = limits
        self._environment = (
            dict(environment) if environment is not None else {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        )
        self._slots = asyncio.Semaphore(limits.processes)
        self._idle: list[_Child] = []
        self._busy: set[_Child] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._closed = False

    async def __aenter__(self) -> ProcessParser:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End all children, whose files then fail. May be called twice."""
        self._closed = True
        while self._idle:
            self._end(self._idle.pop())
        for child in self._busy:
            child.process.kill()
        while self._ending:
            await asyncio.gather(*self._ending)

    async def parse(self, path: Path, filename: str) -> ExtractedText:
        """Return the text of the file at `path`; see `ragstead.ports.loader.Parser`.

        Raises:
            UnreadableDocument: If it can't be read, or not within the limits; says why.
            Unavailable: If no child can be started, or the parser is closed.
        """
        async with self._slots:
            child = await self._child()
            self._busy.add(child)
            whole = False
            try:
                async with asyncio.timeout(self._limits.timeout_s):
                    reply = await self._ask(child, path, filename)
                whole = "memory" not in reply
            except TimeoutError as exc:
                seconds = self._limits.timeout_s
                raise UnreadableDocument(f"{filename}: reading it takes more than {seconds:g} seconds") from exc
            except (asyncio.IncompleteReadError, ConnectionError, ValueError) as exc:
                raise UnreadableDocument(f"{filename}: the parser {await self._death(child)}") from exc
            finally:
                self._release(child, whole=whole)
        return _extracted(reply)

    async def _child(self) -> _Child:
        if self._closed:
            raise Unavailable("parser", "the parser is closed; it reads no more files")
        while self._idle:
            child = self._idle.pop()
            if child.retirement:
                child.retirement.cancel()
            if child.process.returncode is None:
                return child
        limits = self._limits
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", _CHILD_MODULE,
                "--parent", str(os.getpid()),
                "--memory-bytes", str(limits.memory_bytes),
                "--cpu-s", str(limits.cpu_s),
                "--max-file-bytes", str(limits.max_file_bytes),
                "--max-text-chars", str(limits.max_text_chars),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=self._environment,
            )  # fmt: skip
        except OSError as exc:
            raise Unavailable("parser", f"no process for parsing can be started ({exc})") from exc
        return _Child(process)

    async def _ask(self, child: _Child, path: Path, filename: str) -> dict[str, object]:
        stdin, stdout = child.process.stdin, child.process.stdout
        if stdin is None or stdout is None:
            raise ConnectionError("the child has no pipes")
        body = json.dumps({"path": str(path), "filename": filename}).encode()
        stdin.write(len(body).to_bytes(4, "big") + body)
        await stdin.drain()
        size = int.from_bytes(await stdout.readexactly(4), "big")
        if size > 8 * self._limits.max_text_chars + (1 << 24):
            raise ValueError(f"a reply of {size} bytes")
        child.files += 1
        reply: dict[str, object] = json.loads(await stdout.readexactly(size))
        return reply

    async def _death(self, child: _Child) -> str:
        try:
            async with asyncio.timeout(2.0):
                status = await child.process.wait()
        except TimeoutError:
            return "sent what is no reply"
        return _KIND_OF_DEATH.get(status, f"ended with status {status}")

    def _release(self, child: _Child, *, whole: bool) -> None:
        self._busy.discard(child)
        used_up = child.files >= self._limits.files_per_child
        if not whole or used_up or self._closed or child.process.returncode is not None:
            self._end(child)
            return
        self._idle.append(child)
        loop = asyncio.get_running_loop()
        child.retirement = loop.call_later(self._limits.idle_s, self._retire, child)

    def _retire(self, child: _Child) -> None:
        if child in self._idle:
            self._idle.remove(child)
            self._end(child)

    def _end(self, child: _Child) -> None:
        if child.retirement:
            child.retirement.cancel()
        with contextlib.suppress(ProcessLookupError):
            child.process.kill()
        task = asyncio.get_running_loop().create_task(_reaped(child.process))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)


async def _reaped(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    await process.wait()


def _extracted(reply: Mapping[str, object]) -> ExtractedText:
    match reply:
        case {"error": str(reason)}:
            raise UnreadableDocument(reason)
        case {"text": str(text), "title": str(title), "headings": list(headings), "page_starts": list(pages)}:
            return ExtractedText(text, title, tuple(Heading(*one) for one in headings), tuple(pages))
        case _:
            raise UnreadableDocument("the parser sent what is no reply")
