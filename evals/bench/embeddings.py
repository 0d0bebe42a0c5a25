"""Times `ragstead serve embedding` beside the usual way to serve the same weights, in turns in the same run.

Peers: sentence-transformers behind a plain FastAPI server (fp32, two threads, batches of 32), where the environment has
torch. Real text of mixed length: SQuAD paragraphs, questions, SciFact abstracts. Requests of 64 texts, two at a time,
JSON floats on both sides.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import importlib.util
import itertools
import json
import os
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from evals.bench.product import (
    RAGSTEAD,
    Row,
    Undrivable,
    data_folder,
    free_port,
    note,
    quantile,
    report,
    rows_of,
    running,
    share_out,
    wait_until_ready,
)
from ragstead.bootstrap.models import open_word_pieces, weights_dir

ROUNDS = 3
BULK_TEXTS, BATCH, BULK_CLIENTS = 1_024, 64, 2
QUESTIONS = 200
QUESTION = "how long does the tide take to turn in this harbour"
OURS, PEER = "ragstead", "sentence-transformers server"


@dataclass
class Server:
    """One server under test, and what was measured of it by round."""

    name: str
    port: int
    tokens_per_s: list[float] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)
    cosine: float = 1.0


def post(server: Server, connection: http.client.HTTPConnection, given: str | Sequence[str]) -> list[list[float]]:
    """The vectors of one request.

    Raises:
        Undrivable: If the answer is no 200.
    """
    ours = {"truncate": True} if server.name == OURS else {}  # the others cut unasked
    body = json.dumps({"model": "all-MiniLM-L6-v2", "input": given, **ours})
    connection.request("POST", "/v1/embeddings", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status != 200:
        raise Undrivable(f"/v1/embeddings answered {response.status}: {answer[:300]!r}")
    return [one["embedding"] for one in json.loads(answer)["data"]]


def connected(server: Server) -> http.client.HTTPConnection:
    """A connection of its own."""
    return http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)


def bulk(server: Server, texts: Sequence[str]) -> None:
    """Embed all texts, some requests at a time."""

    def work(taken: Iterator[Sequence[str]]) -> None:
        connection = connected(server)
        for batch in taken:
            post(server, connection, batch)

    share_out([texts[i : i + BATCH] for i in range(0, len(texts), BATCH)], BULK_CLIENTS, work)


def questions(server: Server, n: int, until: threading.Event | None = None) -> list[float]:
    """Milliseconds of each of `n` questions one after another, each new to any cache."""
    connection = connected(server)
    times: list[float] = []
    for i in itertools.count():
        if i >= n or (until is not None and until.is_set()):
            return times
        began = time.perf_counter()
        post(server, connection, f"{QUESTION} {random.Random(time.time_ns()).randrange(10**6)}")  # noqa: S311
        times.append((time.perf_counter() - began) * 1000)
        if until is not None:
            time.sleep(0.02)
    raise AssertionError("unreachable")


def while_busy(server: Server, texts: Sequence[str]) -> list[float]:
    """Milliseconds of questions that are asked while a bulk job runs."""
    over = threading.Event()

    def work() -> None:
        bulk(server, texts)
        over.set()

    thread = threading.Thread(target=work)
    thread.start()
    times = questions(server, 10**9, over)
    thread.join()
    return times


def mixed(data: Path, n: int, seed: int) -> list[str]:
    """Texts of mixed length; another seed gives others."""
    pool = [row["text"] for row in itertools.islice(rows_of(data / "squad-v1.1-dev" / "corpus.jsonl"), 2_000)]
    pool += [row["text"] for row in itertools.islice(rows_of(data / "squad-v1.1-dev" / "queries.jsonl"), 2_000)]
    pool += [row["text"] for row in itertools.islice(rows_of(data / "scifact" / "corpus.jsonl"), 1_000)]
    return random.Random(seed).sample(pool, n)  # noqa: S311


@contextlib.contextmanager
def started(name: str, command: Sequence[str], port: int) -> Iterator[Server]:
    """Run a server until the block ends."""
    with running(command, env={**os.environ, "HF_HUB_OFFLINE": "1"}) as child:
        wait_until_ready(port, child)
        yield Server(name, port)


def ours(stack: contextlib.ExitStack, *words: str) -> Server:
    """Our own server."""
    port = free_port()
    command = [str(RAGSTEAD), "serve", "embedding", "--port", str(port), *words]
    return stack.enter_context(started(OURS, command, port))


def servers(stack: contextlib.ExitStack) -> list[Server]:
    """Ours without its cache, and the peers that this environment can run."""
    uncached = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "uncached.yaml"
    uncached.write_text("deployment: {embedding: {cache_bytes: 0}}\n", encoding="utf-8")
    made = [ours(stack, "--config", str(uncached))]
    if importlib.util.find_spec("sentence_transformers") and importlib.util.find_spec("torch"):
        port = free_port()
        script = Path(__file__).parent / "peers" / "sentence_transformers_server.py"
        command = [sys.executable, str(script), str(weights_dir()), str(port)]
        made.append(stack.enter_context(started(PEER, command, port)))
    return made


def measure(made: Sequence[Server], data: Path) -> None:
    """Fill in what is measured, the servers taking turns."""
    pieces = open_word_pieces()
    for turn in range(ROUNDS):
        texts = mixed(data, BULK_TEXTS, turn)
        tokens = sum(len(row) for row in pieces.rows(texts, at_most=256))
        for server in made:
            began = time.perf_counter()
            bulk(server, texts)
            server.tokens_per_s.append(tokens / (time.perf_counter() - began))
            server.idle_ms += questions(server, QUESTIONS)
            server.busy_ms += while_busy(server, mixed(data, BULK_TEXTS // 2, 100 + turn))
            note(f"{server.name}: {server.tokens_per_s[-1]:.0f} tokens a second")


def same_vectors(made: Sequence[Server], data: Path) -> None:
    """Fill in the mean cosine of each server's vectors to the reference's."""
    texts = mixed(data, 64, 7)
    vectors = {}
    for server in made:
        vectors[server.name] = np.array(post(server, connected(server), texts))
    if PEER in vectors:
        for server in made:
            server.cosine = float(np.mean(np.sum(vectors[server.name] * vectors[PEER], axis=1)))


def cached(server: Server) -> float:
    """How long a text that is known takes, over how long a new one does: medians."""
    connection = connected(server)
    text = "The tide turns in the harbour when the moon is high above the breakwater. " * 12
    new: list[float] = []
    known: list[float] = []
    post(server, connection, text)
    for _ in range(100):
        for times, given in ((new, f"{time.time_ns()} {text}"), (known, text)):
            began = time.perf_counter()
            post(server, connection, given)
            times.append(time.perf_counter() - began)
    return statistics.median(known) / statistics.median(new)


def rows(our: Server, peer: Server, known: float) -> list[Row]:
    """Lines of the table."""
    bulk_ratio = statistics.median(a / b for a, b in zip(our.tokens_per_s, peer.tokens_per_s, strict=True))
    idle = quantile(our.idle_ms, 0.5), quantile(peer.idle_ms, 0.5)
    busy = quantile(our.busy_ms, 0.99), quantile(peer.busy_ms, 0.99)
    version = importlib.metadata.version("sentence-transformers")
    against = f"{PEER} ({version}, fp32, 2 threads)"
    return [
        Row(
            f"embedding, bulk over HTTP, against the {against}",
            f"{bulk_ratio:.1f} times ({statistics.median(our.tokens_per_s):.0f} tokens/s, cosine {our.cosine:.4f})",
            "3 times",
            bulk_ratio >= 3,
        ),
        Row(
            "embedding, one question, idle, p50, against the same",
            f"{idle[0] / idle[1]:.2f} of its latency ({idle[0]:.1f} ms)",
            "0.3",
            idle[0] <= 0.3 * idle[1],
        ),
        Row(
            "embedding, the same while a bulk job runs, p99",
            f"{busy[0] / busy[1]:.2f} of its latency ({busy[0]:.0f} ms)",
            "0.25",
            busy[0] <= 0.25 * busy[1],
        ),
        Row("embedding, a text that the cache knows", f"{known:.2f} of its latency", "0.2", known <= 0.2),
    ]


def main() -> None:
    """Prints the rows."""
    data = data_folder(__doc__)
    with contextlib.ExitStack() as stack:
        made = servers(stack)
        same_vectors(made, data)
        measure(made, data)
        known = cached(ours(stack))
    details: dict[str, Any] = {server.name: vars(server) for server in made}
    if len(made) < 2:
        note(f"the {PEER} can't run here: torch and sentence-transformers are not installed (make test installs them)")
        report([], **details)
        return
    report(rows(made[0], made[1], known), **details)


if __name__ == "__main__":
    main()
