"""A platform with MLflow beside it, started by the command line, and the verbs on its data directory."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import yaml

from ragstead_cli.main import main

RAGSTEAD = Path(sys.executable).parent / "ragstead"
LEAVE = "# Leave\n\nEvery employee has 27 days of paid annual leave in a calendar year.\n"
QUESTION = "How many days of paid annual leave does every employee have?"
PATIENCE_S = 60


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAGSTEAD_", "MLFLOW_"))}
    return {**kept, "HF_HUB_OFFLINE": "1"}


class Place:
    """A folder with a data directory, configurations, and the verbs on them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        (folder / "leave.md").write_text(LEAVE)

    def config(self, name: str, pipeline: dict[str, Any] | None = None, **mlflow: Any) -> Path:
        path = self.folder / f"{name}.yaml"
        settings = {"port": 0, "poll_s": 0.2, "timeout_s": 5, **mlflow}
        path.write_text(yaml.safe_dump({"pipeline": pipeline or {}, "deployment": {"mlflow": settings}}))
        return path

    def run(self, *words: object, code: int = 0) -> Any:
        """Run a verb; gives its document, or where it fails its one line on stderr."""
        shown, told = io.StringIO(), io.StringIO()
        with redirect_stdout(shown), redirect_stderr(told):  # in this process, as MLflow takes seconds to import
            ended = main([*map(str, words), "--json", "--data-dir", str(self.data)])
        assert ended == code, (ended, told.getvalue())
        if code:
            assert told.getvalue().count("\n") == 1, told.getvalue()
            return told.getvalue()
        return json.loads(shown.getvalue())

    @contextmanager
    def up(self, config: Path, *words: str) -> Iterator[Up]:
        log = (self.folder / "up.log").open("w+")
        command = [str(RAGSTEAD), "up", "--json", "--port", "0", "--config", str(config), "--data-dir", str(self.data)]
        process = subprocess.Popen([*command, *words], stdout=subprocess.PIPE, stderr=log, text=True, env=environment())
        try:
            assert process.stdout is not None
            yield Up(process, json.loads(process.stdout.readline())["url"], self.folder / "up.log", self.data)
        finally:
            process.terminate()
            process.wait(20)
            assert process.stdout is not None
            process.stdout.close()
            log.close()


class Up:
    """A running platform."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: Path, data: Path) -> None:
        self.process, self.url, self.log, self._data = process, url, log, data

    def get(self, path: str, body: dict[str, Any] | None = None) -> Any:
        sent = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, sent, {"content-type": "application/json"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as response:
            return json.load(response)

    def ask(self, question: str = QUESTION) -> dict[str, Any]:
        answer = self.get(
            "/v1/chat/completions", {"model": "ragstead", "messages": [{"role": "user", "content": question}]}
        )
        assert not answer["rag"]["refused"]
        rag: dict[str, Any] = answer["rag"]
        return rag

    def release_live(self) -> str:
        return str(self.ask()["release"])

    def word(self) -> str:
        ready = self.get("/health/ready")
        assert ready["ready"]
        return str(ready["dependencies"]["releases"]["detail"])

    def mlflow_url(self) -> str:
        return str(json.loads((self._data / "mlflow" / "lock").read_text())["address"])


def soon(done: Callable[[], Any], what: str, within_s: float = PATIENCE_S) -> Any:
    deadline = time.monotonic() + within_s
    while not (value := done()):
        assert time.monotonic() < deadline, what
        time.sleep(0.1)
    return value
