"""Runs in memory: the fake of the port of experiments."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TypeVar

from ragstead.errors import InvalidRequest, NotFound
from ragstead.ports.experiments import FinishedRun, KeptRun, Table

T = TypeVar("T")


class MemoryExperiments:
    """Is `Experiments`, in a dictionary."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._kept: dict[str, FinishedRun] = {}

    async def log(self, run: FinishedRun) -> str:
        """Keep a run and return its id."""
        strange = next((name for name, value in run.metrics.items() if not math.isfinite(value)), None)
        if strange is not None:
            raise InvalidRequest(f"metric {strange!r} is {run.metrics[strange]}, and no finite number", param="metrics")
        for name in (*run.tables, *run.files):
            if not name or name.startswith("/") or ".." in name.split("/"):
                raise InvalidRequest(f"{name!r} is no name of a file in a run", param="files")
        run_id = f"run{next(self._numbers):06}"
        self._kept[run_id] = run
        return run_id

    async def runs(self, release_id: str, *, experiment: str | None = None) -> list[KeptRun]:
        """Return the runs of a release, the newest first."""
        kept = [
            KeptRun(
                run_id, run.experiment, run.name, run.release_id, run.parameters, run.metrics, run.tags, run.started_at
            )
            for run_id, run in self._kept.items()
            if run.release_id == release_id and experiment in (None, run.experiment)
        ]
        kept.reverse()  # of two that began at once, the one logged last comes first
        return sorted(kept, key=lambda run: -run.started_at)

    async def table(self, run_id: str, name: str) -> Table:
        """Return a table of a run."""
        return _found(self._run(run_id).tables, name, "table")

    async def file(self, run_id: str, name: str) -> bytes:
        """Return a file of a run."""
        content = _found(self._run(run_id).files, name, "file")
        return content.encode() if isinstance(content, str) else content

    def _run(self, run_id: str) -> FinishedRun:
        return _found(self._kept, run_id, "run")


def _found(kept: Mapping[str, T], name: str, kind: str) -> T:
    if name not in kept:
        raise NotFound(kind, name[:80])
    return kept[name]
