"""MLflow's client with bounded patience and no telemetry, its exceptions translated."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import mlflow
from mlflow import MlflowClient
from mlflow.environment_variables import (
    MLFLOW_DISABLE_TELEMETRY,
    MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR,
    MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR,
    MLFLOW_HTTP_REQUEST_MAX_RETRIES,
    MLFLOW_HTTP_REQUEST_TIMEOUT,
    MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT,
    MLFLOW_TRACKING_TOKEN,
)
from mlflow.exceptions import MlflowException
from mlflow.telemetry import set_telemetry_client

from ragstead.errors import Unavailable
from ragstead.ports.work_pool import WorkPool

T = TypeVar("T")
_RETRIES = 1
_LOCAL = "sqlite:///"


class MlflowConnection:
    """One tracking server, or the database file that a server beside the platform keeps.

    MLflow takes its patience from the process environment, so that is where it is set, for the whole process; its
    telemetry is off from then on.

    Args:
        uri: `http(s)://…`, or `sqlite:///PATH` of the database.
        pool: Where the blocking calls run.
        token: Bearer token that the server asks for, or None.
        timeout_s: For one request.
    """

    def __init__(self, uri: str, pool: WorkPool, *, token: str | None = None, timeout_s: float = 10.0) -> None:
        MLFLOW_DISABLE_TELEMETRY.set(True)
        set_telemetry_client()  # again, as the import made one
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR.set(False)
        MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT.set(True)
        MLFLOW_HTTP_REQUEST_TIMEOUT.set(max(1, round(timeout_s)))
        MLFLOW_HTTP_REQUEST_MAX_RETRIES.set(_RETRIES)
        MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR.set(0)
        if token is not None:
            MLFLOW_TRACKING_TOKEN.set(token)
        warnings.filterwarnings("ignore", ".*Any type hint is inferred as AnyType", UserWarning)  # of its own types
        logging.getLogger("mlflow").setLevel(logging.ERROR)
        logging.getLogger("alembic").setLevel(logging.ERROR)
        self.uri = uri
        self._pool = pool
        self._client: MlflowClient | None = None

    async def run(self, work: Callable[[MlflowClient], T]) -> T:
        """Return what `work` returns.

        Raises:
            Unavailable: If MLflow can't be reached, or fails.
        """
        return await self._pool.run(lambda: self._run(work))

    def artifacts(self, folder: str) -> str | None:
        """Return where files of an experiment go; None where the server knows."""
        if not self.uri.startswith(_LOCAL):
            return None
        return (Path(self.uri.removeprefix(_LOCAL)).parent / "artifacts" / folder).as_uri()

    def _run(self, work: Callable[[MlflowClient], T]) -> T:
        with self._edge():
            if mlflow.get_tracking_uri() != self.uri:
                mlflow.set_tracking_uri(self.uri)  # stores make clients of their own, for this process's one address
            if self._client is None:
                self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            return work(self._client)

    @contextmanager
    def _edge(self) -> Iterator[None]:
        try:
            yield
        except (MlflowException, OSError) as error:
            words = " ".join(str(error).split())
            raise Unavailable("mlflow", f"MLflow at {self.uri} can't be used: {words[:300]}") from error


def experiment_id(client: MlflowClient, connection: MlflowConnection, name: str) -> str:
    """Return the id of an experiment, which is made where it is missing."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)
    folder = "".join(char if char.isalnum() else "-" for char in name)
    return str(client.create_experiment(name, artifact_location=connection.artifacts(folder)))
