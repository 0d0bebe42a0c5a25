"""MLflow's page in a real browser: a run with its metrics, the release that it is a run of, and an answer's trace.

The pictures are left in pytest's folder of the test; `--basetemp DIR` says where that is.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
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
from ragstead.pipelines.ingest import Submission
from ragstead.ports.experiments import FinishedRun, Table
from ragstead.ports.registry import GateVerdict, Promotion
from ragstead.settings import DeploymentSettings, Settings
from services.browser import Page, browsing
from services.live_server import serving_platform

MODEL_CODE = Path(ragstead.bootstrap.mlflow.__file__).with_name("answering_model.py")
TABLE = Table(("question", "answer", "f1"), (("How many days of leave?", "27 days", 1.0), ("Who?", None, 0.0)))
QUESTION = "How many days of leave do parents take?"
HANDBOOK = Submission("leave.md", "leave.md", b"Parents take 20 days of leave each year. Lunch is free.")
PATIENCE_S = 90


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


@dataclass(frozen=True)
class Traced:
    """An answer of a platform's whose trace stands in MLflow."""

    url: str
    experiment_id: str
    trace_id: str
    answer: str


@pytest.fixture(scope="module")
def traced(mlflow_server: MlflowServer, tmp_path_factory: pytest.TempPathFactory) -> Traced:  # noqa: F811
    tracing = {"mlflow_url": mlflow_server.url, "interval_s": 0.1, "timeout_s": 30}
    settings = Settings(deployment=DeploymentSettings(data_dir=tmp_path_factory.mktemp("data"), tracing=tracing))
    with serving_platform(settings, {"default": [HANDBOOK]}) as url:
        asked = {"model": "ragstead", "messages": [{"role": "user", "content": QUESTION}]}
        told = httpx.post(f"{url}/v1/chat/completions", json=asked, timeout=PATIENCE_S).raise_for_status().json()
        trace_id = told["rag"]["trace_id"]
        deadline = time.monotonic() + PATIENCE_S
        while httpx.get(f"{url}/v1/traces/{trace_id}", timeout=PATIENCE_S).status_code != httpx.codes.OK:
            assert time.monotonic() < deadline, "the trace is there"
            time.sleep(0.2)
    return Traced(mlflow_server.url, experiment_of(mlflow_server.url, "ragstead"), trace_id, answer_of(told))


def experiment_of(url: str, name: str) -> str:
    found = httpx.get(
        f"{url}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": name}, timeout=PATIENCE_S
    )
    return str(found.raise_for_status().json()["experiment"]["experiment_id"])


def answer_of(told: dict[str, Any]) -> str:
    return str(told["choices"][0]["message"]["content"])


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browsing(needed("chromium")) as page:
        page.call("Emulation.setDeviceMetricsOverride", width=1600, height=1100, deviceScaleFactor=1, mobile=False)
        yield page


def read(page: Page, url: str, *words: str) -> str:
    """Open a page of MLflow's and give its text once all the words stand there."""
    page.call("Page.navigate", url="about:blank")
    page.call("Page.navigate", url=url)
    return awaited(page, *words)


def awaited(page: Page, *words: str) -> str:
    """Give the page's text once all the words stand there."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        text = str(page.run("document.body ? document.body.innerText : ''"))
        if all(word in text for word in words):
            return text
        assert time.monotonic() < deadline, f"{words} in {text[:3000]}; console: {page.console[-3:]}"
        time.sleep(0.3)


def pressed(page: Page, label: str) -> bool:
    """Click on what bears the label and nothing else; False where nothing does."""
    there = f"[...document.querySelectorAll('button, span, div')].filter(one => one.innerText === {json.dumps(label)})"
    return bool(page.run(f"(last => last ? (last.click(), true) : false)({there}.at(-1))"))


def test_page_shows_the_run_with_its_metrics_and_its_release(page: Page, shown: Shown, tmp_path: Path) -> None:
    url = f"{shown.url}/#/experiments/{shown.experiment_id}/runs/{shown.run_id}"
    read(page, url, "candidate against champion", "ndcg_at_10", "0.43", shown.release_id, "questions")
    page.screenshot(tmp_path / "run.png")
    assert (tmp_path / "run.png").stat().st_size > 20_000


def test_page_shows_the_release_as_a_version_with_alias_and_gate(page: Page, shown: Shown, tmp_path: Path) -> None:
    url = f"{shown.url}/#/models/ragstead/versions/{shown.version}"
    read(page, url, "champion", "gate\t\npassed", "provenance\t\n", f"release\t\n{shown.release_id}")
    page.screenshot(tmp_path / "release.png")
    read(page, f"{shown.url}/#/models/ragstead", f"Version {shown.version}", "promotion.000001")
    page.screenshot(tmp_path / "releases.png")
    assert (tmp_path / "release.png").stat().st_size > 20_000


def test_page_shows_the_prompts_of_the_release(page: Page, shown: Shown, tmp_path: Path) -> None:
    read(page, f"{shown.url}/#/prompts/ragstead-answer", "ragstead-answer", "NO ANSWER")
    page.screenshot(tmp_path / "prompt.png")
    assert (tmp_path / "prompt.png").stat().st_size > 20_000


def test_page_lists_the_trace_with_question_and_answer(page: Page, traced: Traced, tmp_path: Path) -> None:
    url = f"{traced.url}/#/experiments/{traced.experiment_id}/traces"
    read(page, url, f'"question":"{QUESTION}"', f'"answer":"{traced.answer}"')
    pressed(page, "Got it")  # MLflow's hint to a newcomer, which lies over the list
    page.screenshot(tmp_path / "traces.png")
    assert (tmp_path / "traces.png").stat().st_size > 20_000


def test_page_shows_the_trace_by_its_id_with_its_steps_and_passages(page: Page, traced: Traced, tmp_path: Path) -> None:
    url = f"{traced.url}/#/experiments/{traced.experiment_id}/traces/tr-{traced.trace_id}"
    steps = [f"\n{name}\n" for name in ("answer", "retrieve", "bm25", "dense", "fuse", "assess", "generate", "verify")]
    text = read(page, url, f"question\n{QUESTION}", f"answer\n{traced.answer}", "quote: Parents take 20 days", *steps)
    assert "Lunch is free" not in text
    page.screenshot(tmp_path / "trace.png")
    assert pressed(page, "retrieve")
    awaited(page, "Lunch is free")  # of the passage, which the answer does not cite
    page.screenshot(tmp_path / "passages.png")
    assert (tmp_path / "trace.png").stat().st_size > 20_000
    assert (tmp_path / "passages.png").stat().st_size > 20_000
