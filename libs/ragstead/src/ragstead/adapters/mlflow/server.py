"""MLflow's server beside the platform: one process on loopback, on SQLite, that ends with this one however it ends.

`mlflow server` would be two processes of 255 MB each, and more for the jobs that nobody here starts. This is one: the
same application under uvicorn in a child of ours (`server_process`). The child reads a pipe whose other end is here; it
ends when the pipe does, after `kill -9` too.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

from ragstead.errors import Unavailable

_ENV = "/usr/bin/env"
_SILENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_STORE, _FILES = "_MLFLOW_SERVER_FILE_STORE", "_MLFLOW_SERVER_ARTIFACT_ROOT"
"""Names of MLflow's (`mlflow.server.constants`), under which `mlflow server` tells its children what they serve."""
_GRACE_S = 5.0


class MlflowServer:
    """Runs the server until `close`, or the end of this process. Starting waits for nothing: it is up seconds later.

    Args:
        folder: Where its database, files and log lie; made where it is missing.
        port: Of loopback; 0 for any that is free.

    Raises:
        Unavailable: If the port is taken, or the folder can't be written.
    """

    def __init__(self, folder: Path, port: int) -> None:
        self.port = _free_port(port)
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / "server.log"
        place = folder.absolute()
        told = {**_SILENT, _STORE: f"sqlite:///{place / 'mlflow.db'}", _FILES: (place / "artifacts").as_uri()}
        words = [sys.executable, "-m", "ragstead.adapters.mlflow.server_process", str(place), str(self.port)]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - our own module
                    [_ENV, *(f"{name}={value}" for name, value in told.items()), *words],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C at a terminal leaves it to `close`
                )
        except OSError as error:
            raise Unavailable("mlflow", f"MLflow's server can't be started in {folder}: {error}") from error

    @property
    def pid(self) -> int:
        """Of the server's only process."""
        return self._process.pid

    def is_running(self) -> bool:
        """True while it lives."""
        return self._process.poll() is None

    def last_words(self) -> str:
        """Return the end of its log, in one line."""
        try:
            return " ".join(self.log.read_text("utf-8", "replace").split())[-300:]
        except OSError:
            return ""

    def close(self) -> None:
        """End it. A second call does nothing."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port(port: int) -> int:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise Unavailable(
                "mlflow",
                f"port {port} is taken by another program; deployment.mlflow.port moves MLflow",
            ) from error
        return int(probe.getsockname()[1])
