"""A real nginx with the committed configuration, before real replicas that are killed under load."""

from __future__ import annotations

import itertools
import re
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest

from integration.balanced import KEY, Stack, nginx_command, rendered
from programs import free_port, needed
from ragstead.bootstrap.models import open_encoder
from ragstead.settings import Settings

MAX_BODY_BYTES = Settings().deployment.max_body_bytes
CLIENTS = 6
FAIL_TIMEOUT_S = 2.0


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    needed("nginx")
    needed("redis-server")
    made = Stack(tmp_path_factory.mktemp("stack"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    with client_of(stack.url) as made:
        stack.served()
        yield made


def client_of(url: str) -> httpx.Client:
    headers = {"authorization": f"Bearer {KEY}"}
    return httpx.Client(base_url=url, headers=headers, timeout=30, trust_env=False)


def embed(client: httpx.Client, *texts: str) -> httpx.Response:
    return client.post("/v1/embeddings", json={"model": "text-embedding-3-small", "input": texts})


@dataclass
class Load:
    """Clients that ask without a pause, each request with texts that were never asked for before."""

    url: str
    statuses: Counter[int | str] = field(default_factory=Counter)
    vectors: dict[str, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._numbers = itertools.count()
        self._threads = [threading.Thread(target=self._ask) for _ in range(CLIENTS)]

    @property
    def failed(self) -> int:
        """Requests without an answer that can be used."""
        return self.statuses.total() - self.statuses[200]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        with client_of(self.url) as client:
            while not self._stop.is_set():
                number = next(self._numbers)
                texts = [f"ship {number} of {self.url} carries cargo {i}: " + "salt and rope, " * 12 for i in range(4)]
                try:
                    answer = embed(client, *texts)
                except httpx.HTTPError as error:
                    self.statuses[repr(error)] += 1
                    continue
                self.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    self.vectors |= dict(zip(texts, (one["embedding"] for one in answer.json()["data"]), strict=True))


def share(served: list[dict[str, str]], address: str) -> float:
    """The part of the requests that a replica answered, which is the last that was tried."""
    return sum(line["upstream"].endswith(address) for line in served) / len(served)


def test_configuration_is_accepted_by_nginx(tmp_path: Path) -> None:
    config = rendered(tmp_path, listen=f"127.0.0.1:{free_port()}", replicas=["127.0.0.1:1", "127.0.0.1:2"])
    command = [*nginx_command(tmp_path, config), "-t"]
    told = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert told.returncode == 0, told.stderr
    assert "[warn]" not in told.stderr


def test_replicas_share_the_load_and_one_killed_in_it_costs_no_request(stack: Stack, client: httpx.Client) -> None:
    killed, kept = stack.replicas
    with Load(stack.url) as load:
        time.sleep(1)
        before = stack.served()
        killed.kill()
        time.sleep(0.3)
        broken_off = stack.served()
        time.sleep(FAIL_TIMEOUT_S)  # long enough for nginx to try it again
        without = stack.served()
        killed.start()
        killed.wait()
        time.sleep(FAIL_TIMEOUT_S)
        stack.served()
        time.sleep(0.7)
        after = stack.served()
    assert load.statuses.keys() == {200} or load.failed <= stack.broken_off(), load.statuses
    for served in (before, after):
        assert min(share(served, one.address) for one in stack.replicas) > 0.1
    assert share(without, kept.address) == 1
    retried = [line for line in broken_off + without if line["upstream"] == f"{killed.address}, {kept.address}"]
    assert 1 <= len(retried) <= 2 * CLIENTS
    assert {line["upstream_status"] for line in retried} == {"502, 200"}
    assert_right(load.vectors)


def assert_right(vectors: dict[str, list[float]]) -> None:
    some = list(vectors)[:: max(1, len(vectors) // 200)]
    encoder = open_encoder(Settings())
    expected = np.concatenate([encoder.encode([row]) for row in encoder.tokenize(some, "passage")])
    np.testing.assert_allclose(np.array([vectors[text] for text in some]), expected, atol=1e-6)


def test_replicas_share_a_cache(stack: Stack) -> None:
    first, second = (f"http://{one.address}" for one in stack.replicas)
    with client_of(first) as one, client_of(second) as other:
        embed(one, "known to both")
        before = hits(other)
        embed(other, "known to both")
        assert hits(other) == before + 1


def hits(client: httpx.Client) -> float:
    found = re.search(r'ragstead_embedding_cache_total\{outcome="hit"\} (\S+)', client.get("/metrics").text)
    return float(found[1]) if found else 0


def test_body_over_the_limit_is_refused_in_the_clients_language(client: httpx.Client) -> None:
    announced = client.post("/v1/embeddings", content=bytes(MAX_BODY_BYTES + 1))
    chunked = client.post("/v1/embeddings", content=(bytes(1 << 20) for _ in range(17)))
    for answer in (announced, chunked):
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"
        assert str(MAX_BODY_BYTES) in answer.json()["error"]["message"]


def test_body_at_the_limit_reaches_a_replica(client: httpx.Client) -> None:
    answer = client.post("/v1/embeddings", content=bytes(MAX_BODY_BYTES))
    assert answer.status_code == 400
    assert answer.headers["x-request-id"]


def test_refusal_of_a_busy_replica_goes_through_at_once(stack: Stack) -> None:
    answers: list[httpx.Response] = []

    def ask(number: int) -> None:
        with client_of(stack.url) as client:
            answers.append(embed(client, *(f"{number} {i} " + "wind " * 200 for i in range(8))))

    stack.served()
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert {answer.json()["error"]["type"] for answer in refused} == {"rate_limit_error"}
    assert [line["upstream"] for line in stack.served() if line["status"] == "429" and "," in line["upstream"]] == []


def test_key_host_and_request_id_are_the_replicas_business(stack: Stack, client: httpx.Client) -> None:
    assert client.get("/v1/models", headers={"authorization": "Bearer wrong"}).status_code == 401
    assert client.get("/v1/models", headers={"host": "evil.example"}).status_code == 403
    named = client.get("/v1/models", headers={"x-request-id": "mine"})
    assert (named.status_code, named.headers["x-request-id"]) == (200, "mine")
    assert named.headers["server"] == "nginx"
    assert "mine" in {line["request_id"] for line in stack.served()}
    assert client.get("/health/ready", headers={"authorization": ""}).json()["ready"] is True


def test_metrics_of_no_replica_in_particular_are_refused(client: httpx.Client) -> None:
    answer = client.get("/metrics")
    assert answer.status_code == 404
    assert "ask the replicas" in answer.json()["error"]["message"]


def test_nobody_left_is_said_at_once_and_with_a_time_to_come_back(stack: Stack, client: httpx.Client) -> None:
    for one in stack.replicas:
        one.kill()
    for _ in range(2):  # found dead, then known to be dead
        began = time.monotonic()
        answer = embed(client, "hello")
        assert time.monotonic() - began < 2
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
        assert answer.json()["error"]["code"] == "service_unavailable"
    stack.start()
    deadline = time.monotonic() + 2 * FAIL_TIMEOUT_S
    while embed(client, "hello").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
