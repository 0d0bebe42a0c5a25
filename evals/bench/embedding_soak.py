"""Loads `ragstead serve embedding` for a minute with 64 clients, half of whom hang up before they are answered.

What must come back is a 200 or a 429, and memory must not grow: the resident memory after 60 s against that after 10 s.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

from evals.bench.product import RAGSTEAD, Row, free_port, note, report, running, wait_until_ready

CLIENTS = 64
SECONDS = 60.0
EARLY_S = 10.0
MAX_GROWTH = 1.1
WORDS = "tide harbour barge crane lock rope pilot cargo signal berth anchor lantern".split()


def body(draw: random.Random) -> bytes:
    """One request: mostly a question, now and then some dozens of paragraphs; never the same twice."""
    lengths = [12] if draw.random() < 0.7 else [120] * draw.randint(8, 48)
    texts = [" ".join(draw.choices(WORDS, k=length)) + f" {draw.random()}" for length in lengths]
    return json.dumps({"model": "all-MiniLM-L6-v2", "input": texts, "truncate": True}).encode()


def patient(port: int, until: float, seen: Counter[str], draw: random.Random) -> None:
    """Ask and wait for each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while time.monotonic() < until:
        try:
            connection.request("POST", "/v1/embeddings", body(draw), {"Content-Type": "application/json"})
            response = connection.getresponse()
            response.read()
            seen[str(response.status)] += 1
            if response.status == 429:
                time.sleep(0.2)
        except (OSError, http.client.HTTPException) as error:
            seen[type(error).__name__] += 1
            connection.close()


def leaving(port: int, until: float, seen: Counter[str], draw: random.Random) -> None:
    """Ask, and hang up some milliseconds later."""
    while time.monotonic() < until:
        content = body(draw)
        head = f"POST /v1/embeddings HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5) as raw:
            raw.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + content)
            time.sleep(draw.uniform(0.001, 0.05))
        seen["hung up"] += 1


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text("utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("a process has a VmRSS")


def main() -> None:
    """Prints the rows."""
    port = free_port()
    seen: Counter[str] = Counter()
    with running([str(RAGSTEAD), "serve", "embedding", "--port", str(port)]) as child:
        wait_until_ready(port, child)
        began = time.monotonic()
        ready_mb = resident_mb(child.pid)
        threads = [
            threading.Thread(
                target=patient if number % 2 else leaving,
                args=(port, began + SECONDS, seen, random.Random(number)),  # noqa: S311
            )
            for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        time.sleep(EARLY_S)
        early_mb = resident_mb(child.pid)
        time.sleep(max(0.0, began + SECONDS - time.monotonic() - 0.5))
        late_mb = resident_mb(child.pid)
        for thread in threads:
            thread.join()
        alive = child.poll() is None
    note(f"{dict(seen)}; {ready_mb:.0f} MB when ready, {early_mb:.0f} MB after 10 s, {late_mb:.0f} MB after 60 s")
    wrong = {what: n for what, n in seen.items() if what not in ("200", "429", "hung up")}
    growth = late_mb / early_mb
    report(
        [
            Row(
                "embedding, 64 clients for 60 s, half hanging up",
                f"{seen['200']} answered, {seen['429']} refused, {sum(wrong.values())} errors",
                "no error but 429",
                alive and not wrong,
            ),
            Row(
                "its memory after 60 s, against after 10 s",
                f"{growth:.2f} times ({late_mb:.0f} MB)",
                "1.1 times",
                growth <= MAX_GROWTH,
            ),
            Row("embedding service, memory when ready", f"{ready_mb:.0f} MB", "under 400 MB", ready_mb < 400),
        ],
        seen=dict(seen),
        resident_mb={"ready": ready_mb, "early": early_mb, "late": late_mb},
    )


if __name__ == "__main__":
    main()
