"""A real MLflow server on SQLite for tests, one for all of a process's tests as its start takes seconds."""

from __future__ import annotations

import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ragstead.adapters.mlflow.server import MlflowServer


def answers(url: str) -> bool:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/health", timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving_mlflow(folder: Path) -> Iterator[MlflowServer]:
    """Run the server on a free port; it is up when the block begins."""
    server = MlflowServer(folder, 0)
    try:
        deadline = time.monotonic() + 120
        while not answers(server.url):
            assert server.is_running(), server.last_words()
            assert time.monotonic() < deadline, server.last_words()
            time.sleep(0.1)
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    with serving_mlflow(tmp_path_factory.mktemp("mlflow")) as server:
        yield server
