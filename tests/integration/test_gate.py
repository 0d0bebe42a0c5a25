"""The gate on real platforms: every plant is refused by name, and the same release passes."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from evals.plants import PLANTS, written
from evals.plants.scripted_model import scripted_model

from ragstead.evaluation.kept_results import read_results
from ragstead.evaluation.suites import read_suite

ROOT = Path(__file__).resolve().parents[2]
RAGSTEAD = Path(sys.executable).parent / "ragstead"
HANDBOOK = ROOT / "evals" / "handbook.yaml"
FEW = {"a broken prompt": 60, "fabricated citations": 60, "2x latency": 40}
"""Questions that are enough for those that are far off; the others are asked all of them, of the candidate alone."""


def ragstead(*words: object, code: int) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAGSTEAD_")}
    done = subprocess.run(
        [str(RAGSTEAD), "eval", *map(str, words), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    document: dict[str, Any] = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
    return document


def both(*words: object) -> tuple[dict[str, Any], str]:
    """Run any verb that succeeds; gives its document and what it said beside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAGSTEAD_")}
    done = subprocess.run(
        [str(RAGSTEAD), *map(str, words), "--json"],
        capture_output=True,
        text=True,
        timeout=300,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


def command(*words: object) -> dict[str, Any]:
    return both(*words)[0]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Port of the scripted model, served by a thread until the module ends."""
    ready, ports = threading.Event(), []
    loop = asyncio.new_event_loop()
    over = asyncio.Event()

    async def serve() -> None:
        async with scripted_model() as chosen:
            ports.append(chosen)
            ready.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert ready.wait(10)
    yield ports[0]
    loop.call_soon_threadsafe(over.set)
    thread.join(10)
    loop.close()


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the defaults on the whole handbook, made here: another machine's may differ."""
    folder = tmp_path_factory.mktemp("kept")
    document = ragstead("run", HANDBOOK, "--fresh", "--keep", folder / "handbook.json", "--data-dir", folder, code=0)
    assert document["metrics"]["citations_valid"] == 1.0
    assert {path.name for path in (folder / "evals" / document["run_id"]).iterdir()} == {
        "latency.png", "questions.jsonl", "reliability.png", "results.json", "risk_coverage.png", "tags.jsonl",
    }  # fmt: skip
    return folder / "handbook.json"


@pytest.mark.slow
@pytest.mark.parametrize("what", PLANTS)
def test_plant_is_refused_with_exit_3_and_its_measure_named(what: str, port: int, kept: Path, tmp_path: Path) -> None:
    plant = PLANTS[what]
    candidate = written(plant.configuration, tmp_path, port)
    champion = written(plant.champion, tmp_path, port) if plant.champion else kept
    few = ["--sample", FEW[what]] if what in FEW else []
    words = ["--suite", HANDBOOK, "--candidate", candidate, "--champion", champion, "--out", tmp_path / "out"]
    document = ragstead("gate", *words, *few, "--data-dir", tmp_path, code=3)
    assert document["verdict"] == "refused"
    assert plant.named in document["refused"]
    failed = [
        one.get("name")
        for one in ET.parse(tmp_path / "out" / "gate.xml").iter("testcase")
        if one.find("failure") is not None
    ]
    assert failed == document["refused"]
    assert plant.named in (tmp_path / "out" / "gate.md").read_text().splitlines()[0]


@pytest.mark.slow
def test_same_release_beside_itself_passes(tmp_path: Path) -> None:
    configuration = ROOT / "configs" / "ragstead.yaml"
    words = ["--suite", HANDBOOK, "--candidate", configuration, "--champion", configuration, "--sample", 40]
    document = ragstead("gate", *words, "--data-dir", tmp_path, code=0)
    outcomes = {one["name"]: one["outcome"] for one in document["findings"]}
    assert document["verdict"] == "passed"
    assert outcomes["latency"] == "passed"
    assert set(outcomes.values()) == {"passed"}


def suite_of(folder: Path, **more: object) -> Path:
    docs = folder / "docs"
    docs.mkdir()
    (docs / "leave.md").write_text(
        "# Leave\n\nEvery employee has 27 days of paid leave. The vault opens with ZEBRA-9931.\n"
    )
    path = folder / "suite.yaml"
    questions = [
        {"id": "days", "question": "How many days of paid leave?", "answers": ["27 days"], "sources": ["leave.md"]},
        {"id": "vault", "question": "What does the vault open with?", "answerable": False},
    ]
    path.write_text(yaml.safe_dump({"name": "small", "documents": "docs", "questions": questions} | more))
    return path


def test_canary_that_an_answer_shows_is_refused_as_a_leak(tmp_path: Path) -> None:
    suite = suite_of(tmp_path, canaries=["ZEBRA-9931"])
    ragstead("run", suite, "--fresh", "--keep", tmp_path / "kept.json", "--data-dir", tmp_path, code=0)
    words = ["--suite", suite, "--champion", tmp_path / "kept.json", "--data-dir", tmp_path]
    document = ragstead("gate", *words, code=3)
    assert document["refused"] == ["leaks"]


def test_canary_planted_beside_the_questions_is_out_of_their_reach(tmp_path: Path) -> None:
    planted = [{"document_id": "secret.md", "text": "The vault opens with the word CANARY-5521."}]
    suite = suite_of(tmp_path, canaries=["CANARY-5521"], planted=planted)
    kept = tmp_path / "baseline" / "suite.json"
    ragstead("run", suite, "--fresh", "--keep", kept, "--data-dir", tmp_path, code=0)
    assert ragstead("gate", "--suite", suite, "--data-dir", tmp_path, code=0)["refused"] == []


def test_frozen_case_is_asked_about_its_own_documents_alone(tmp_path: Path) -> None:
    frozen = {"id": "frozen", "question": "How many days of paid leave?", "answers": ["31 days"],
              "context": [{"document_id": "old.md", "text": "Everyone has 31 days of paid leave."}]}  # fmt: skip
    suite = suite_of(tmp_path)
    whole = yaml.safe_load(suite.read_text())
    suite.write_text(yaml.safe_dump({**whole, "questions": [*whole["questions"], frozen]}))
    document = ragstead("run", suite, "--fresh", "--data-dir", tmp_path, code=0)
    assert document["metrics"]["answers_contained"] == 1.0
    ragstead("run", suite, "--data-dir", tmp_path / "empty", code=2)  # the other cases have no collection there


def test_suite_without_a_champion_says_how_to_keep_one(tmp_path: Path) -> None:
    told = ragstead("gate", "--suite", suite_of(tmp_path), "--data-dir", tmp_path, code=2)
    assert "--keep" in told["error"]
    told = ragstead(
        "gate", "--suite", tmp_path / "suite.yaml", "--champion", "r-nowhere", "--data-dir", tmp_path, code=2
    )
    assert "r-nowhere" in told["error"]


def test_kept_handbook_is_of_the_suite_as_it_is() -> None:
    """The committed results say something of every question that is asked now."""
    have = {
        (one.case_id, one.fingerprint) for one in read_results(ROOT / "evals" / "baseline" / "handbook.json").results
    }
    assert have == {(case.id, case.fingerprint) for case in read_suite(HANDBOOK).questions}


def test_releases_are_gated_by_name_and_the_verdict_stands_with_the_candidate(tmp_path: Path) -> None:
    asked = {"question": "How many days of paid leave?", "answers": ["27 days"], "sources": ["leave.md"]}
    suite = suite_of(tmp_path, questions=[{"id": f"days-{n}", **asked} for n in range(8)])
    worse = tmp_path / "worse.yaml"
    worse.write_text("pipeline: {answer: {min_support: 1.0}}\n")
    store = tmp_path / "store"
    champion = command("release", "create", "--data-dir", store)["release"]
    command("release", "promote", champion, "--force", "--why", "the first", "--data-dir", store)
    candidate = command("release", "create", "--config", worse, "--data-dir", store)["release"]
    run = ragstead("run", suite, "--fresh", "--data-dir", store, code=0)
    assert run["mlflow_run_id"]
    document = ragstead("gate", "--suite", suite, "--candidate", candidate, "--data-dir", store, code=3)
    assert (document["candidate"], document["champion"]) == (candidate, champion)
    assert "answers_contained" in document["refused"]
    assert document["recorded"] is True
    shown = command("release", "show", candidate, "--data-dir", store)
    assert shown["gate"]["outcome"] == "refused"
    assert {one["experiment"] for one in shown["runs"]} == {"small gate"}
    told = ragstead("gate", "--suite", suite, "--candidate", "r-nowhere", "--data-dir", store, code=2)
    assert "r-nowhere" in told["error"]


def test_mlflow_that_is_down_is_a_warning_and_the_run_is_kept(tmp_path: Path) -> None:
    configuration = tmp_path / "down.yaml"
    configuration.write_text("deployment: {mlflow: {url: 'http://127.0.0.1:9', timeout_s: 1}}\n")
    words = ["eval", "run", suite_of(tmp_path), "--fresh", "--config", configuration, "--data-dir", tmp_path / "store"]
    document, errors = both(*words)
    assert document["mlflow_run_id"] is None
    assert "MLflow at http://127.0.0.1:9 does not answer" in errors
    assert (tmp_path / "store" / "evals" / document["run_id"] / "questions.jsonl").exists()


@pytest.mark.parametrize("name", ["github-actions.yml", "gitlab-ci.yml"])
def test_example_for_ci_is_yaml_and_runs_what_is_there(name: str) -> None:
    example = yaml.safe_load((ROOT / "examples" / "ci" / name).read_text())
    job = example["jobs"]["gate"] if "jobs" in example else example["gate"]
    lines = job.get("script") or [step["run"] for step in job["steps"] if "run" in step]
    commands = [line for line in lines if line.startswith("make ")]
    assert len(commands) == 1
    dry = subprocess.run(
        ["make", "--no-print-directory", "-n", *shlex.split(commands[0])[1:]],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert dry.stdout.split() == ["python3", "scripts/gate.py", "--out", "gate"]
    assert (ROOT / "scripts" / "gate.py").exists()


def test_our_own_ci_runs_the_gate_after_the_tests() -> None:
    lines = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert lines[-1].startswith("make gate ")
