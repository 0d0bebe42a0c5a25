"""Loads a server of OpenAI's embeddings API: a bulk job, questions alone, questions during a bulk job."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import itertools
import json
import multiprocessing
import os
import random
import signal
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from evals.bench.product import Undrivable, share_out

OURS = "ragstead"
BATCH, BULK_CLIENTS = 64, 2
PAUSE_S = 0.02
QUESTION = "how long does the tide take to turn in this harbour"
Batch = tuple[Sequence[str], int]
"""Texts of one request, and their tokens."""


@dataclass
class Server:
    """One server under test, and what was measured of it.

    Attributes:
        tokens_per_s: Of the bulk job alone, by round.
        idle_ms: Of each question asked alone.
        busy_ms: Of each question asked during a bulk job.
        busy_tokens_per_s: Of that bulk job, by round.
        cosine: Mean to the reference's vectors.
    """

    name: str
    port: int
    pid: int
    tokens_per_s: list[float] = field(default_factory=list)
    idle_ms: list[float] = field(default_factory=list)
    busy_ms: list[float] = field(default_factory=list)
    busy_tokens_per_s: list[float] = field(default_factory=list)
    cosine: float = 1.0


def wake(server: Server) -> None:
    """Has a server that stands still go on."""
    os.kill(server.pid, signal.SIGCONT)


@contextlib.contextmanager
def awake(server: Server) -> Iterator[None]:
    """Lets a server run until the block ends; between its turns it stands still and takes nothing from the others."""
    wake(server)
    try:
        yield
    finally:
        os.kill(server.pid, signal.SIGSTOP)


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


def batches_of(texts: Sequence[str], tokens: Sequence[int]) -> list[Batch]:
    """Requests of `BATCH` texts."""
    return [(texts[i : i + BATCH], sum(tokens[i : i + BATCH])) for i in range(0, len(texts), BATCH)]


def bulk(server: Server, batches: Sequence[Batch], over: float) -> float:
    """Tokens a second of a bulk job, some requests at a time, which sends its last one at `over`."""
    supply = itertools.takewhile(lambda _: time.perf_counter() < over, itertools.cycle(batches))
    answered: list[int] = []

    def work(taken: Iterator[Batch]) -> None:
        connection = connected(server)
        for texts, tokens in taken:
            post(server, connection, texts)
            answered.append(tokens)

    took = share_out(supply, BULK_CLIENTS, work)
    return sum(answered) / took


def question_ms(server: Server, connection: http.client.HTTPConnection) -> float:
    """Milliseconds of one question that is new to any cache."""
    began = time.perf_counter()
    post(server, connection, f"{QUESTION} {random.Random(time.time_ns()).randrange(10**6)}")  # noqa: S311
    return (time.perf_counter() - began) * 1000


def questions(server: Server, n: int) -> list[float]:
    """Milliseconds of each of `n` questions one after another."""
    connection = connected(server)
    return [question_ms(server, connection) for _ in range(n)]


def while_busy(server: Server, batches: Sequence[Batch], seconds: float) -> tuple[list[float], float]:
    """Milliseconds of questions asked while a bulk job runs for some seconds, and the tokens a second of the job.

    The job's clients are a process of their own, at a low priority: they stand for clients on other machines, and what
    they do with their answers takes as little as can be from server and questions; it is the same for every server.
    """
    connection, times = connected(server), []
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("fork"), os.nice, (10,)) as pool:
        pool.submit(os.getpid).result()  # it has started
        over = time.perf_counter() + seconds
        job = pool.submit(bulk, server, batches, over)
        while time.perf_counter() < over and not job.done():
            times.append(question_ms(server, connection))
            time.sleep(PAUSE_S)
        return times, job.result()


def known_to_new(server: Server) -> float:
    """How long a text that the cache knows takes, over how long a new one does: medians."""
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
