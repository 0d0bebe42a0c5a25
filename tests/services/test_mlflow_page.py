"""MLflow's page in a real browser: a run with its metrics, and the release that it is a run of.

The pictures are left in pytest's folder of the test; `--basetemp DIR` says where that is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import ragstead.bootstrap.mlflow
from mlflow_server import mlflow_server  # noqa: F401 (a fixture)
from programs import needed
from ragstead.adapters.mlflow.connection import MlflowConnection
from ragstead.adapters.mlflow.experiments import MlflowExperiments
from ragstead.adapters.mlflow.registry import MlflowRegistry
from ragstead.adapters.mlflow.server import MlflowServer
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.bootstrap.blueprints import configured
from ragstead.bootstrap.mlflow import prompts_of
from ragstead.ports.experiments import FinishedRun, Table
from ragstead.ports.registry import GateVerdict, Promotion
from ragstead.settings import Settings
from services.browser import Page, browsing

MODEL_CODE = Path(ragstead.bootstrap.mlflow.__file__).with_name("answering_model.py")
TABLE = Table(("question", "answer", "f1"), (("How many days of leave?", "27 days", 1.0), ("Who?", None, 0.0)))


class Shown:
    """What stands in MLflow for the pages to show."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.experiment_id, self.run_id, self.release_id, self.version = asyncio.run(self._kept())

    async def _kept(self) -> tuple[str, str, str, int]:
        pool = ThreadWorkPool(1)
        connection = MlflowConnection(self.url, pool)
        registry = MlflowRegistry(connection, MODEL_CODE)
        blueprint = configured(Settings(), "embedder english tantivy")
        kept = await registry.register(blueprint.release, prompts_of(blueprint))
        release_id = kept.release.release_id
        run = FinishedRun(
            "handbook suite", "candidate against champion", release_id, {"questions": "200"}, {"ndcg@10": 0.4321},
            {"questions": TABLE}, {"report.md": "# Report"}, started_at=time.time() - 9, seconds=8,
        )  # fmt: skip
        run_id = await MlflowExperiments(connection).log(run)
        await registry.record_gate(release_id, GateVerdict("passed", run_id, why="12 measures"))
        await registry.promote(Promotion(release_id, None, "promote", "ann", time.time()))
        experiment = await connection.run(lambda client: client.get_experiment_by_name("handbook suite").experiment_id)
        pool.close()
        return str(experiment), run_id, release_id, kept.version


@pytest.fixture(scope="module")
def shown(mlflow_server: MlflowServer) -> Shown:  # noqa: F811
    return Shown(mlflow_server.url)


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browsing(needed("chromium")) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=1600, height=1100, deviceScaleFactor=1, mobile=False)
        yield page


def read(page: Page, url: str, *words: str) -> str:
    """Open a page of MLflow's and give its text once all the words stand there."""
    page.call("Page.navigate", url="about:blank")
    page.call("Page.navigate", url=url)
    deadline = time.monotonic() + 90
    while True:
        text = str(page.run("document.body ? document.body.innerText : ''"))
        if all(word in text for word in words):
            return text
        assert time.monotonic() < deadline, f"{words} in {text[:3000]}; console: {page.console[-3:]}"
        time.sleep(0.3)


def test_page_shows_the_run_with_its_metrics_and_its_release(page: Page, shown: Shown, tmp_path: Path) -> None:
    url = f"{shown.url}/#/experiments/{shown.experiment_id}/runs/{shown.run_id}"
    read(page, url, "candidate against champion", "ndcg_at_10", "0.43", shown.release_id, "questions")
    page.screenshot(tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 20_000


def test_page_shows_the_release_as_a_version_with_alias_and_gate(page: Page, shown: Shown, tmp_path: Path) -> None:
    url = f"{shown.url}/#/models/ragstead/versions/{shown.version}"
    read(page, url, "champion", "gate\t\npassed", shown.release_id)
    page.screenshot(tmp_path / "release.png")
    read(page, f"{shown.url}/#/models/ragstead", f"Version {shown.version}", "promotion.000001")
    page.screenshot(tmp_path / "releases.png")
    assert (tmp_path / "release.png").stat().st_size > 20_000


def test_page_shows_the_prompts_of_the_release(page: Page, shown: Shown, tmp_path: Path) -> None:
    read(page, f"{shown.url}/#/prompts/ragstead-answer", "ragstead-answer", "NO ANSWER")
    page.screenshot(tmp_path / "prompt.png")
    assert (tmp_path / "prompt.png").stat().st_size > 20_000
