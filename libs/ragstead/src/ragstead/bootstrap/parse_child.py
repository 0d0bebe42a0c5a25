"""The child that parses files for `ragstead.adapters.parser_process`: a hostile file can take down nothing else.

Requests come on standard input, replies go to standard output: four bytes of length, most significant first,
and that many bytes of JSON. The child ends when its input does, when its parent dies, or after it ran short
of memory.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import sys
from pathlib import Path
from typing import BinaryIO

from ragstead.bootstrap.loaders import load_file
from ragstead.errors import UnreadableDocument
from ragstead.model import ExtractedText

_EX_MEMORY = 75


def main() -> int:
    """Serve requests until there are no more; returns the exit status."""
    parser = argparse.ArgumentParser(description="Parses files in a process of its own; started by the platform.")
    parser.add_argument("--parent", type=int, required=True, help="process id of the parent")
    parser.add_argument("--memory-bytes", type=int, required=True)
    parser.add_argument("--cpu-s", type=int, required=True, help="CPU seconds a file may take")
    parser.add_argument("--max-file-bytes", type=int, required=True)
    parser.add_argument("--max-text-chars", type=int, required=True)
    options = parser.parse_args()
    _die_with_parent(options.parent)
    _limit_memory(options.memory_bytes)
    requests = sys.stdin.buffer
    sys.setrecursionlimit(3000)  # documents nest deeper than programs
    with os.fdopen(os.dup(1), "wb") as replies:
        os.dup2(2, 1)  # what a library prints must not get among the replies
        while (request := _receive(requests)) is not None:
            _limit_cpu(options.cpu_s)
            reply = _reply(request, options.max_file_bytes, options.max_text_chars)
            _send(replies, reply)
            if reply.get("memory"):
                return _EX_MEMORY
    return 0


def _reply(request: dict[str, str], max_file_bytes: int, max_text_chars: int) -> dict[str, object]:
    filename = request["filename"]
    try:
        path = Path(request["path"])
        size = path.stat().st_size
        if size > max_file_bytes:
            return {"error": f"{filename}: {size >> 20} MiB, more than {max_file_bytes >> 20}; split it"}
        extracted = load_file(path.read_bytes(), filename, max_file_bytes=max_file_bytes, max_text_chars=max_text_chars)
    except UnreadableDocument as exc:
        return {"error": str(exc)}
    except MemoryError:
        gc.collect()
        return {"error": f"{filename}: reading it takes more memory than is allowed", "memory": True}
    except OSError as exc:
        return {"error": f"{filename}: {exc.strerror or exc}"}
    except Exception as exc:  # noqa: BLE001 - the outermost loop: a library's bug fails one file, not the child
        return {"error": f"{filename}: its parser failed ({type(exc).__name__}: {exc})"[:500]}
    return _shown(extracted)


def _shown(extracted: ExtractedText) -> dict[str, object]:
    return {
        "text": extracted.text,
        "title": extracted.title,
        "headings": [[one.start, one.end, one.level, one.title] for one in extracted.headings],
        "page_starts": list(extracted.page_starts),
    }


def _receive(stream: BinaryIO) -> dict[str, str] | None:
    head = stream.read(4)
    if len(head) < 4:
        return None
    request: dict[str, str] = json.loads(stream.read(int.from_bytes(head, "big")))
    return request


def _send(stream: BinaryIO, reply: dict[str, object]) -> None:
    body = json.dumps(reply, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    stream.write(len(body).to_bytes(4, "big") + body)
    stream.flush()


def _limit_memory(memory_bytes: int) -> None:
    if sys.platform == "linux":  # elsewhere the kernel does not enforce it, and only time limits a file
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_cpu(cpu_s: int) -> None:
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = int(usage.ru_utime + usage.ru_stime)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    soft = used + cpu_s + 1
    resource.setrlimit(resource.RLIMIT_CPU, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


def _die_with_parent(parent: int) -> None:
    """Have the kernel kill this process with its parent where it can; elsewhere the end of the input has to do."""
    if sys.platform == "linux":
        import ctypes
        import signal

        with contextlib.suppress(AttributeError, OSError):
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
