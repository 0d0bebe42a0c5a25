"""Times `POST /v1/search` over 20,000 chunks of real text: one client, then sixteen, each with a connection of its own.

The clients run in this process and the gateway in another, on the same cores.
"""

from __future__ import annotations

import http.client
import itertools
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from evals.bench.product import Row, Undrivable, data_folder, fill, gateway, note, quantile, report, rows_of, share_out

CHUNKS = 20_000
WARM_UP = 50
ALONE, TOGETHER = 500, 2000
CLIENTS = 16
MAX_P50_MS, MAX_P99_MS, MIN_PER_S = 15.0, 50.0, 100.0


def search(connection: http.client.HTTPConnection, query: str) -> float:
    """Milliseconds that one search takes its client.

    Raises:
        Undrivable: If the answer is no 200 with hits.
    """
    body = json.dumps({"query": query, "k": 10})
    began = time.perf_counter()
    connection.request("POST", "/v1/search", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    took = (time.perf_counter() - began) * 1000
    if response.status != 200 or not json.loads(answer)["hits"]:
        raise Undrivable(f"/v1/search for {query!r} answered {response.status}: {answer[:300]!r}")
    return took


def load(port: int, queries: list[str], clients: int) -> tuple[list[float], float]:
    """Milliseconds of each search and searches per second, where `clients` take queries from one pile."""
    times: list[float] = []

    def work(taken: Iterator[str]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        times.extend(search(connection, query) for query in taken)

    seconds = share_out(queries, clients, work)
    return sorted(times), len(times) / seconds


def main() -> None:
    """Prints the rows."""
    data = data_folder(__doc__)
    queries = [row["text"] for row in rows_of(data / "squad-v1.1-dev" / "queries.jsonl")]
    supply = itertools.cycle(queries)
    with tempfile.TemporaryDirectory() as work:
        store = Path(work) / "store"
        chunks = fill(store, data, Path(work), chunks=CHUNKS)
        with gateway(store) as port:
            load(port, list(itertools.islice(supply, WARM_UP)), 1)
            alone, alone_per_s = load(port, list(itertools.islice(supply, ALONE)), 1)
            note(f"one client: {alone_per_s:.0f} a second")
            together, per_s = load(port, list(itertools.islice(supply, TOGETHER)), CLIENTS)
    p50, p99 = quantile(alone, 0.5), quantile(alone, 0.99)
    report(
        [
            Row("search over HTTP, 20,000 chunks, one client, p50", f"{p50:.1f} ms", "15 ms", p50 <= MAX_P50_MS),
            Row("the same, p99", f"{p99:.1f} ms", "50 ms", p99 <= MAX_P99_MS),
            Row("the same, 16 clients", f"{per_s:.0f} requests/s", "100 requests/s", per_s >= MIN_PER_S),
        ],
        chunks=chunks,
        one_client={"p50_ms": p50, "p99_ms": p99, "per_s": alone_per_s},
        sixteen_clients={"p50_ms": quantile(together, 0.5), "p99_ms": quantile(together, 0.99), "per_s": per_s},
    )


if __name__ == "__main__":
    main()
