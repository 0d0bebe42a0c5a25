"""Times `ragstead serve embedding` beside other ways to serve the same weights, in turns in the same run.

The peers are those of `evals.bench.peers.contenders`, each in its own environment and at its best documented setting
for CPUs. Real text of mixed length: SQuAD paragraphs, questions, SciFact abstracts. Requests of 64 texts, two at a
time, JSON floats on both sides. A peer that can't be run is listed as absent, with the reason.
"""

from __future__ import annotations

import contextlib
import http.client
import importlib.metadata
import itertools
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from evals.bench.embedding_load import (
    OURS,
    Server,
    awake,
    batches_of,
    bulk,
    connected,
    known_to_new,
    post,
    questions,
    wake,
    while_busy,
)
from evals.bench.peers.contenders import CONTENDERS, ENVIRON, REFERENCE, Peer, Start
from evals.bench.peers.environments import PEERS, Absent, reason
from evals.bench.product import (
    RAGSTEAD,
    ROOT,
    Row,
    Undrivable,
    data_folder,
    free_port,
    note,
    quantile,
    report,
    rows_of,
    running,
    wait_until_ready,
)
from ragstead.bootstrap.models import open_word_pieces

ROUNDS = 3
BULK_TEXTS, QUESTIONS, WARM_UP, COMPARED = 768, 200, 10, 128
BULK_S = BUSY_S = 10.0
FAILURES = (Undrivable, OSError, http.client.HTTPException)


def mixed(data: Path, n: int, seed: int) -> list[str]:
    """Texts of mixed length; another seed gives others."""
    pool = [row["text"] for row in itertools.islice(rows_of(data / "squad-v1.1-dev" / "corpus.jsonl"), 2_000)]
    pool += [row["text"] for row in itertools.islice(rows_of(data / "squad-v1.1-dev" / "queries.jsonl"), 2_000)]
    pool += [row["text"] for row in itertools.islice(rows_of(data / "scifact" / "corpus.jsonl"), 1_000)]
    return random.Random(seed).sample(pool, n)  # noqa: S311


# --- servers --------------------------------------------------------------------------------------


@contextlib.contextmanager
def started(name: str, port: int, start: Start, log: Path) -> Iterator[Server]:
    """Runs a server until the block ends; it stands still but for its turns."""
    with (
        log.open("w", encoding="utf-8") as output,
        running(start.command, output=output, cwd=start.folder, env={**os.environ, **ENVIRON}) as child,
    ):
        wait_until_ready(port, child, path=start.ready)
        server = Server(name, port, child.pid)
        try:
            with awake(server):
                questions(server, WARM_UP)
            yield server
        finally:
            with contextlib.suppress(ProcessLookupError):
                wake(server)  # to hear that it shall end


def ours(stack: contextlib.ExitStack, log: Path, *words: str) -> Server:
    """Our own server."""
    port = free_port()
    start = Start([str(RAGSTEAD), "serve", "embedding", "--port", str(port), *words], ROOT)
    return stack.enter_context(started(OURS, port, start, log))


def theirs(stack: contextlib.ExitStack, peer: Peer) -> Server:
    """A peer's server.

    Raises:
        Absent: If it can't be run.
    """
    peer.prepare()
    port, log = free_port(), PEERS / f"{peer.environment}.log"
    try:
        return stack.enter_context(started(peer.name, port, peer.start(port), log))
    except FAILURES as error:
        note(f"{peer.name}: {error}")
        raise Absent(f"does not start: {reason(log.read_text('utf-8'))}") from error


def servers(stack: contextlib.ExitStack) -> tuple[list[Server], dict[str, str]]:
    """Ours without its cache and the peers that run here; and why the others don't, by name."""
    work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    (work / "uncached.yaml").write_text("deployment: {embedding: {cache_bytes: 0}}\n", encoding="utf-8")
    made = [ours(stack, work / "log", "--config", str(work / "uncached.yaml"))]
    absent: dict[str, str] = {}
    for peer in CONTENDERS:
        note(f"{peer.name} ...")
        try:
            made.append(theirs(stack, peer))
        except Absent as error:
            absent[peer.name] = str(error)
            note(f"{peer.name} is absent: {error}")
    return made, absent


# --- measuring ------------------------------------------------------------------------------------


def measure(server: Server, data: Path, turn: int) -> None:
    """Adds what one turn of a server tells."""
    pieces = open_word_pieces()
    texts = mixed(data, BULK_TEXTS, turn)
    batches = batches_of(texts, [len(row) for row in pieces.rows(texts, at_most=256)])
    with awake(server):
        questions(server, WARM_UP)
        server.idle_ms += questions(server, QUESTIONS)
        server.tokens_per_s.append(bulk(server, batches, time.perf_counter() + BULK_S))
        times, tokens_per_s = while_busy(server, batches, BUSY_S)
    server.busy_ms += times
    server.busy_tokens_per_s.append(tokens_per_s)
    note(
        f"{server.name}: {server.tokens_per_s[-1]:.0f} tokens/s, idle p50 {quantile(server.idle_ms, 0.5):.1f} ms, "
        f"busy p99 {quantile(times, 0.99):.0f} ms of {len(times)}, load {os.getloadavg()[0]:.1f}"
    )


def measure_in_turns(made: list[Server], absent: dict[str, str], data: Path) -> None:
    """Fills in what is measured, another server first in each round; a peer that fails is moved to those absent.

    Raises:
        Undrivable: If ours fails.
    """
    for turn in range(ROUNDS):
        first = turn * len(made) // ROUNDS
        for server in [*made[first:], *made[:first]]:
            try:
                measure(server, data, turn)
            except FAILURES as error:
                if server.name == OURS:
                    raise
                absent[server.name] = f"fails under load: {reason(str(error))}"
                made.remove(server)
                note(f"{server.name} is absent: {absent[server.name]}")


def same_vectors(made: Sequence[Server], data: Path) -> None:
    """Fills in the mean cosine of each server's vectors to the reference's."""
    texts = mixed(data, COMPARED, 7)
    vectors = {}
    for server in made:
        with awake(server):
            vectors[server.name] = np.array(post(server, connected(server), texts))
    for server in made:
        reference = vectors.get(REFERENCE, vectors[server.name])
        server.cosine = float(np.mean(np.sum(vectors[server.name] * reference, axis=1)))


# --- tables ---------------------------------------------------------------------------------------


def bulk_ratio(our: Server, peer: Server) -> float:
    """How many times the peer's tokens a second ours are: the median of the rounds."""
    return statistics.median(a / b for a, b in zip(our.tokens_per_s, peer.tokens_per_s, strict=True))


def busy_p99(server: Server) -> float:
    """The 99th percentile of questions during a bulk job, ms."""
    return quantile(server.busy_ms, 0.99)


def rows(our: Server, peers: Sequence[Server], known: float) -> list[Row]:
    """Lines of the table; those against a peer only where one runs."""
    found = [row for peer in peers if peer.name == REFERENCE for row in rows_against_reference(our, peer)]
    if peers:
        found += rows_against_best(our, peers)
    return [*found, Row("embedding, a text that the cache knows", f"{known:.2f} of its latency", "0.2", known <= 0.2)]


def rows_against_reference(our: Server, reference: Server) -> list[Row]:
    """Bulk and idle, against the usual way."""
    ratio = bulk_ratio(our, reference)
    idle = quantile(our.idle_ms, 0.5), quantile(reference.idle_ms, 0.5)
    return [
        Row(
            "embedding, bulk over HTTP, against the sentence-transformers server (fp32)",
            f"{ratio:.1f} times ({statistics.median(our.tokens_per_s):.0f} tokens/s, cosine {our.cosine:.4f})",
            "3 times",
            ratio >= 3,
        ),
        Row(
            "embedding, one question, idle, p50, against the sentence-transformers server (fp32)",
            f"{idle[0] / idle[1]:.2f} of its latency ({idle[0]:.1f} ms)",
            "0.3",
            idle[0] <= 0.3 * idle[1],
        ),
    ]


def rows_against_best(our: Server, peers: Sequence[Server]) -> list[Row]:
    """Bulk against the peer with the most tokens a second, and busy against the one with the lowest p99."""
    fastest = max(peers, key=lambda peer: statistics.median(peer.tokens_per_s))
    calmest = min(peers, key=busy_p99)
    ratio, busy = bulk_ratio(our, fastest), busy_p99(our) / busy_p99(calmest)
    return [
        Row(
            "embedding, bulk over HTTP, against the best peer",
            f"{ratio:.1f} times ({fastest.name}: {statistics.median(fastest.tokens_per_s):.0f} tokens/s)",
            "1.5 times",
            ratio >= 1.5,
        ),
        Row(
            "embedding, one question while a bulk job runs, p99, against the best peer",
            f"{busy:.2f} of its latency ({busy_p99(our):.0f} ms; {calmest.name}: {busy_p99(calmest):.0f} ms)",
            "0.25",
            busy <= 0.25,
        ),
    ]


def table(made: Sequence[Server], absent: Mapping[str, str]) -> list[dict[str, str]]:
    """The table of peers, ours first, then in the order in which they are known."""
    measured = {server.name: server for server in made}
    lines = [line(measured[OURS], importlib.metadata.version("ragstead"), "ONNX Runtime, int8, cache off")]
    for peer in CONTENDERS:
        if peer.name in measured:
            lines.append(line(measured[peer.name], peer.version, peer.settings))
        else:
            blank = dict.fromkeys(lines[0], "")
            words = {"server": peer.name, "version": peer.version, "settings": f"**absent**: {absent[peer.name]}"}
            lines.append(blank | words)
    return lines


def line(server: Server, version: str, settings: str) -> dict[str, str]:
    """One line, cells by column."""
    return {
        "server": server.name,
        "version": version,
        "settings": settings,
        "bulk, tokens/s": f"{statistics.median(server.tokens_per_s):.0f}",
        "idle p50": f"{quantile(server.idle_ms, 0.5):.1f} ms",
        "busy p99": f"{busy_p99(server):.0f} ms",
        "bulk meanwhile, tokens/s": f"{statistics.median(server.busy_tokens_per_s):.0f}",
        "cosine to torch fp32": f"{server.cosine:.4f}",
    }


def main() -> None:
    """Prints the rows."""
    data = data_folder(__doc__)
    with contextlib.ExitStack() as stack:
        made, absent = servers(stack)
        same_vectors(made, data)
        measure_in_turns(made, absent, data)
    with contextlib.ExitStack() as stack:
        cached = ours(stack, Path(stack.enter_context(tempfile.TemporaryDirectory())) / "log")
        with awake(cached):
            known = known_to_new(cached)
    details = {server.name: vars(server) for server in made}
    report(rows(made[0], made[1:], known), table(made, absent), servers=details, absent=absent)


if __name__ == "__main__":
    main()
