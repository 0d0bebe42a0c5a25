"""Drives the product from outside, through its command line and its HTTP API, for the benchmarks."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import itertools
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
RAGSTEAD = ROOT / ".venv" / "bin" / "ragstead"
SETS = ("squad-v1.1-dev", "scifact", "hotpotqa-100", "chunking-eval", "cranfield")
READY_WITHIN_S = 120.0
T = TypeVar("T")


class _End:
    """Stands where a pile is empty."""


_END = _End()


class Undrivable(Exception):
    """Raised where the product, or the data folder, does not do what CONTRACT and docs/api.md say."""


@dataclass(frozen=True)
class Row:
    """One line of the table in docs/benchmarks.md.

    Attributes:
        what: What was measured, and on what.
        figure: The figure with its unit.
        target: What it must reach.
        met: Whether it does.
    """

    what: str
    figure: str
    target: str
    met: bool


def report(rows: Sequence[Row], peers: Sequence[Mapping[str, str]] = (), /, **details: Any) -> None:
    """Prints a benchmark's one JSON object; `peers` are the lines of the table of peers, cells by column."""
    print(json.dumps({"rows": [asdict(row) for row in rows], "peers": list(peers), "details": details}))


def data_folder(description: str | None) -> Path:
    """The folder of the public data sets, from the command line.

    Raises:
        SystemExit: With 2, where it is not there.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, required=True, help="folder that holds the data sets in BEIR layout")
    folder: Path = parser.parse_args().data
    if not (folder / SETS[0] / "corpus.jsonl").is_file():
        parser.error(f"{folder} has no {SETS[0]}/corpus.jsonl")
    return folder


def note(words: str) -> None:
    """Shows on stderr what is going on, as stdout is for the result."""
    print(f"  {words}", file=sys.stderr, flush=True)


# --- texts ----------------------------------------------------------------------------------------


def rows_of(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON-lines file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip():
                yield json.loads(line)


def passages(data: Path) -> Iterator[dict[str, str]]:
    """Every text of the retrieval sets, SQuAD's first, and then of the knowledge base's Markdown pages."""
    for name in SETS:
        if (data / name / "corpus.jsonl").is_file():
            for row in rows_of(data / name / "corpus.jsonl"):
                yield {"_id": f"{name}/{row['_id']}", "title": row.get("title", ""), "text": row["text"]}
    for page in sorted((data / "kb-fastapi-md").rglob("*.md")):
        yield {"_id": f"kb/{page.relative_to(data)}", "title": page.stem, "text": page.read_text(encoding="utf-8")}


def write_corpus(texts: Iterator[dict[str, str]] | Sequence[dict[str, str]], folder: Path) -> int:
    """Writes a BEIR folder; returns the number of its documents."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(text) + "\n" for text in texts]
    (folder / "corpus.jsonl").write_text("".join(lines), encoding="utf-8")
    return len(lines)


def fill(data_dir: Path, data: Path, work: Path, *, chunks: int) -> int:
    """Ingests documents, some at a time, until the store holds at least `chunks` chunks; returns how many it holds.

    Raises:
        Undrivable: If the data folder has too little text.
    """
    supply, held, rate = passages(data), 0, 1.0
    for batch in itertools.count():
        if held >= chunks:
            return held
        wanted = max(20, int((chunks - held) * 0.9 / rate))
        folder = work / f"part-{batch}"
        written = write_corpus(itertools.islice(supply, wanted), folder)
        if not written:
            raise Undrivable(f"{data} yields {held} chunks, and {chunks} are needed")
        added = cli("ingest", "--format", "beir", str(folder), data_dir=data_dir)["chunks"]
        held, rate = held + added, max(added / written, 0.1)
        note(f"{held} chunks")
    raise AssertionError("unreachable")


# --- the product ----------------------------------------------------------------------------------


def cli(*words: str, data_dir: Path) -> Any:
    """The JSON that a verb prints.

    Raises:
        Undrivable: If it fails or prints something else.
    """
    command = [str(RAGSTEAD), *words, "--json", "--data-dir", str(data_dir)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise Undrivable(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout)


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_ready(
    port: int, child: subprocess.Popen[Any], *, path: str = "/health/ready", within_s: float = READY_WITHIN_S
) -> None:
    """Returns once `path` at the port says 200.

    Raises:
        Undrivable: If the process ends or the time does.
    """
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if child.poll() is not None:
            raise Undrivable(f"{child.args!r} ended with {child.returncode} before it was ready")
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        time.sleep(0.05)
    raise Undrivable(f"{child.args!r} was not ready within {within_s:.0f} s")


@contextlib.contextmanager
def running(
    command: Sequence[str], *, output: IO[Any] | None = None, **options: Any
) -> Iterator[subprocess.Popen[Any]]:
    """Runs a command with its output on stderr or in a file, and stops it with Ctrl-C's signal at the end."""
    out = output or sys.stderr
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, **options)
    try:
        yield child
    finally:
        if child.poll() is None:
            child.send_signal(signal.SIGINT)
            try:
                child.wait(timeout=30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


@contextlib.contextmanager
def gateway(data_dir: Path) -> Iterator[int]:
    """Serves a data directory without samples; yields the port."""
    port = free_port()
    with running([str(RAGSTEAD), "serve", "gateway", "--port", str(port), "--data-dir", str(data_dir)]) as child:
        wait_until_ready(port, child)
        yield port


# --- load -----------------------------------------------------------------------------------------


def share_out(pile: Iterable[T], workers: int, work: Callable[[Iterator[T]], None]) -> float:
    """Run `work` in several threads that take from one pile; returns the seconds it took.

    Raises:
        Undrivable: If one of them fails; the first one's words.
    """
    taking, lock = iter(pile), threading.Lock()
    errors: list[str] = []

    def taken() -> Iterator[T]:
        while True:
            with lock:
                one = next(taking, _END)
            if isinstance(one, _End):
                return
            yield one

    def run() -> None:
        try:
            work(taken())
        except (Undrivable, OSError, http.client.HTTPException) as error:
            errors.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(workers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise Undrivable(errors[0])
    return time.perf_counter() - began


def quantile(values: Iterable[float], share: float) -> float:
    """The value below which a share of the values lies, by the nearest rank."""
    ascending = sorted(values)
    return ascending[min(len(ascending) - 1, int(share * len(ascending)))]
