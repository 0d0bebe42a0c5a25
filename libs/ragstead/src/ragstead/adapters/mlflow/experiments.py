"""Evaluations as runs: parameters, metrics, tables of questions, reports and plots."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, Run
from mlflow.exceptions import MlflowException
from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

from ragstead.adapters.mlflow.connection import MlflowConnection, experiment_id
from ragstead.adapters.mlflow.names import EVALUATION, MODEL, RELEASE
from ragstead.adapters.mlflow.registry import model_id_of, version_of
from ragstead.errors import InvalidRequest, NotFound
from ragstead.ports.experiments import FinishedRun, KeptRun, Table

_BATCH = 100
_MOST_RUNS = 1000
_AT = re.compile(r"_at_(\d+)\b")


class MlflowExperiments:
    """Is `Experiments` on MLflow.

    Args:
        connection: To MLflow.
    """

    def __init__(self, connection: MlflowConnection) -> None:
        self._connection = connection

    async def log(self, run: FinishedRun) -> str:
        """Keep a run and return its id; it is attached to its release's model version where there is one."""
        _check(run)
        return await self._connection.run(lambda client: self._log(client, run))

    async def runs(self, release_id: str, *, experiment: str | None = None) -> list[KeptRun]:
        """Return the runs of a release, the newest first."""
        if not release_id.replace("-", "").isalnum():
            return []

        def work(client: MlflowClient) -> list[KeptRun]:
            names = {one.experiment_id: one.name for one in client.search_experiments()}
            wanted = [key for key, name in names.items() if experiment in (None, name)]
            if not wanted:
                return []
            found = client.search_runs(
                wanted, f"tags.`{RELEASE}` = '{release_id}'", order_by=["start_time DESC"], max_results=_MOST_RUNS
            )
            return [_kept(one, names[one.info.experiment_id]) for one in found]

        return await self._connection.run(work)

    async def table(self, run_id: str, name: str) -> Table:
        """Return a table of a run."""
        content = json.loads(await self._file(run_id, f"{name}.json", "table", name))
        return Table(tuple(content["columns"]), tuple(tuple(row) for row in content["data"]))

    async def file(self, run_id: str, name: str) -> bytes:
        """Return a file of a run."""
        return await self._file(run_id, name, "file", name)

    async def _file(self, run_id: str, path: str, kind: str, name: str) -> bytes:
        def work(client: MlflowClient) -> bytes | None:
            folder = str(PurePosixPath(path).parent)
            try:
                listed = {one.path for one in client.list_artifacts(run_id, None if folder == "." else folder)}
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise
            if path not in listed:
                return None
            with tempfile.TemporaryDirectory() as place:
                location = client.get_run(run_id).info.artifact_uri
                here = mlflow.artifacts.download_artifacts(
                    artifact_uri=f"{location}/{path}", dst_path=place, tracking_uri=self._connection.uri
                )
                return Path(here).read_bytes()

        content = await self._connection.run(work)
        if content is None:
            raise NotFound(kind, f"{run_id[:40]}/{name[:80]}")
        return content

    def _log(self, client: MlflowClient, run: FinishedRun) -> str:
        experiment = experiment_id(client, self._connection, run.experiment)
        began = round(run.started_at * 1000)
        tags = {**run.tags, RELEASE: run.release_id}
        begun = client.create_run(experiment, start_time=began, tags=tags, run_name=run.name)
        run_id = str(begun.info.run_id)
        version = version_of(client, run.release_id)
        model_id = None if version is None else model_id_of(version)
        params = [Param(name, value) for name, value in run.parameters.items()]
        metrics = [
            Metric(_stored(name), float(value), began, 0, model_id=model_id, run_id=run_id)
            for name, value in run.metrics.items()
        ]
        for at in range(0, max(len(params), len(metrics)), _BATCH):
            client.log_batch(run_id, metrics[at : at + _BATCH], params[at : at + _BATCH])
        self._log_files(
            client, run_id, {**run.files, **{f"{name}.json": _json(run.tables[name]) for name in run.tables}}
        )
        shown = [{"path": f"{name}.json", "type": "table"} for name in run.tables]
        client.set_tag(run_id, MLFLOW_LOGGED_ARTIFACTS, json.dumps(shown))
        client.set_terminated(run_id, "FINISHED", end_time=began + round(run.seconds * 1000))
        if version is not None:
            client.set_model_version_tag(MODEL, str(version.version), f"{EVALUATION}{run.experiment}", run_id)
        return run_id

    def _log_files(self, client: MlflowClient, run_id: str, files: Mapping[str, str | bytes]) -> None:
        if not files:
            return
        with tempfile.TemporaryDirectory() as folder:
            for name, content in files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
            client.log_artifacts(run_id, folder)


def _check(run: FinishedRun) -> None:
    strange = next((name for name, value in run.metrics.items() if not math.isfinite(value)), None)
    if strange is not None:
        raise InvalidRequest(f"metric {strange!r} is {run.metrics[strange]}, and no finite number", param="metrics")
    for name in (*run.tables, *run.files):
        path = PurePosixPath(name)
        if not name or path.is_absolute() or ".." in path.parts:
            raise InvalidRequest(f"{name!r} is no name of a file in a run", param="files")


def _json(table: Table) -> str:
    """Return a table as MLflow's own `log_table` writes it, without pandas between, which makes floats of counts."""
    return json.dumps({"columns": list(table.columns), "data": [list(row) for row in table.rows]})


def _stored(name: str) -> str:
    """Return a metric's name as MLflow takes it, which knows no `@`."""
    return name.replace("@", "_at_")


def _shown(name: str) -> str:
    return _AT.sub(r"@\1", name)


def _kept(run: Run, experiment: str) -> KeptRun:
    tags = {name: value for name, value in run.data.tags.items() if not name.startswith("mlflow.")}
    return KeptRun(
        str(run.info.run_id),
        experiment,
        str(run.info.run_name),
        tags.pop(RELEASE, ""),
        dict(run.data.params),
        {_shown(name): value for name, value in run.data.metrics.items()},
        tags,
        run.info.start_time / 1000,
    )
