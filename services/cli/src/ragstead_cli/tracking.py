"""MLflow, as evaluations use it: where there is one, and never in the way where there is none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from ragstead.errors import Unavailable
from ragstead_cli.output import say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from ragstead.bootstrap.mlflow import Mlflow
    from ragstead.ports.experiments import FinishedRun
    from ragstead.settings import Settings


@contextlib.asynccontextmanager
async def tracking(settings: Settings) -> AsyncIterator[Mlflow | None]:
    """Give MLflow; None where none is configured or was used on the data directory, or where it does not answer."""
    mlflow = settings.deployment.mlflow
    if mlflow.url is None and not mlflow.folder(settings.deployment.data_dir).is_dir():
        yield None
        return
    from ragstead.bootstrap.mlflow import open_mlflow

    async with contextlib.AsyncExitStack() as stack:
        try:
            opened: Mlflow | None = await open_mlflow(settings, stack)
        except Unavailable as error:
            say(f"ragstead: warning: {error}; the run is kept in the data directory alone")
            opened = None
        yield opened


async def logged(settings: Settings, run: FinishedRun) -> str:
    """Log a run to MLflow where there is one; its id there, or empty with a warning where that failed."""
    async with tracking(settings) as mlflow:
        if mlflow is None:
            return ""
        try:
            return await mlflow.experiments.log(run)
        except Unavailable as error:
            say(f"ragstead: warning: {error}; the run is kept in the data directory alone")
            return ""
