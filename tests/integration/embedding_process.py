"""`ragstead serve embedding` as a process of the tests' own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

COMMAND = [sys.executable, "-m", "ragstead_cli.main", "serve", "embedding", "--json"]


@contextmanager
def service(*words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the service; give its process and URL."""
    process = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
