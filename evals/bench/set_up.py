"""Times `make up` in a fresh clone to its first answer, mostly downloads, then again with nothing to do."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from evals.bench.product import ROOT, Row, Undrivable, free_port, note, report, running, wait_until_ready

QUESTION = "How many days of paid annual leave do full-time employees have?"
SAMPLES_WITHIN_S = 120.0
FRESH_WITHIN_S, AGAIN_WITHIN_S = 300.0, 10.0


def answered(port: int) -> dict[str, Any]:
    """The first answer to a question about the samples, asked until they are in.

    Raises:
        Undrivable: If there is none.
    """
    deadline = time.monotonic() + SAMPLES_WITHIN_S
    while time.monotonic() < deadline:
        answer = ask(port)
        if answer and not answer["rag"]["refused"]:
            return answer
        time.sleep(0.1)
    raise Undrivable(f"a question about the samples was not answered within {SAMPLES_WITHIN_S:.0f} s")


def ask(port: int) -> dict[str, Any] | None:
    """The answer to a question about the samples; None while there is no collection.

    Raises:
        Undrivable: If there is an error.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = {"model": "ragstead", "messages": [{"role": "user", "content": QUESTION}]}
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    response = connection.getresponse()
    answer = response.read()
    if response.status == 404:
        return None
    if response.status != 200:
        raise Undrivable(f"the first question was answered with {response.status}: {answer[:300]!r}")
    found: dict[str, Any] = json.loads(answer)
    return found


def make_up(clone: Path) -> tuple[float, float, dict[str, Any]]:
    """Seconds to readiness, seconds to the first answer, and the answer; the platform is stopped again."""
    port, environ = free_port(), {k: v for k, v in os.environ.items() if k not in {"VIRTUAL_ENV", "RAGSTEAD_DATA_DIR"}}
    began = time.monotonic()
    python = getattr(sys, "_base_executable", sys.executable)
    with running([python, "scripts/up.py", "--port", str(port)], cwd=clone, env=environ) as child:
        wait_until_ready(port, child, within_s=1200)
        ready = time.monotonic() - began
        answer = answered(port)
        return ready, time.monotonic() - began, answer


def main() -> None:
    """Prints the rows."""
    with tempfile.TemporaryDirectory() as work:
        clone = Path(work) / "clone"
        subprocess.run(["git", "clone", "--quiet", "--local", str(ROOT), str(clone)], check=True, stdout=sys.stderr)
        _, fresh, answer = make_up(clone)
        note(f"fresh: {fresh:.1f} s")
        again, _, _ = make_up(clone)
    report(
        [
            Row("set-up from a clean clone to the first answer", f"{fresh:.0f} s", "300 s", fresh <= FRESH_WITHIN_S),
            Row("set-up again, with nothing to do, to ready", f"{again:.1f} s", "10 s", again <= AGAIN_WITHIN_S),
        ],
        answer=answer["choices"],
    )


if __name__ == "__main__":
    main()
