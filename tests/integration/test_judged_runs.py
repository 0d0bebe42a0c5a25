"""`eval run --judge` and the gate's opinions by the command line; the judge is scripted: well, down, slow, raving."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from mlflow import MlflowClient

from integration.mlflow_server import mlflow_server
from ragstead.bootstrap.platform import open_platform
from ragstead.settings import Settings
from services.scripted_model import Step, refuses, says, scripted

RAGSTEAD = Path(sys.executable).parent / "ragstead"
LISTS = {name: ["a"] for name in ("opinions", "claims", "truths", "statements")}
EVERYTHING = {"reason": "because", "extracted_pii": [], **LISTS}
YES, NO = (json.dumps({**EVERYTHING, "verdicts": [{"verdict": word, "reason": "so"}]}) for word in ("yes", "no"))


class House:
    """A folder with a suite of two questions, one of them answered, and a configuration that names the judge."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.errors = ""
        (folder / "docs").mkdir()
        (folder / "docs" / "leave.md").write_text("# Leave\n\nEvery employee has 27 days of paid leave.\n")
        self.suite = folder / "suite.yaml"
        self.write_suite()

    def write_suite(self, **more: object) -> None:
        questions = [
            {"id": "days", "question": "How many days of paid leave?", "answers": ["27 days"], "sources": ["leave.md"]},
            {"id": "yeast", "question": "Which enzyme splits lactose in yeast?", "answerable": False},
        ]
        self.suite.write_text(yaml.safe_dump({"name": "small", "documents": "docs", "questions": questions, **more}))

    def config(self, base_url: str, *, model: dict[str, Any] | None = None, **judging: Any) -> Path:
        described = {"base_url": base_url, "context_tokens": 8192, **(model or {})}
        deployment = {
            "generation": {"models": {"judge": described}},
            "judging": {"model": "judge", "repeats": 2, "at_once": 1, **judging},
        }
        path = self.folder / "judge.yaml"
        path.write_text(yaml.safe_dump({"deployment": deployment}))
        return path

    def run(self, *words: object, code: int = 0, as_json: bool = True) -> Any:
        return self.verb("eval", *words, code=code, as_json=as_json)

    def verb(self, *words: object, code: int = 0, as_json: bool = True) -> Any:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAGSTEAD_", "MLFLOW_"))}
        command = [str(RAGSTEAD), *map(str, words), "--data-dir", str(self.data)]
        done = subprocess.run(
            [*command, *(["--json"] if as_json else [])],
            capture_output=True,
            text=True,
            timeout=300,
            env={**kept, "HF_HUB_OFFLINE": "1"},
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        self.errors = done.stderr
        return json.loads(done.stdout) if as_json and done.stdout else done.stdout

    def rows(self, run_id: str) -> dict[str, dict[str, Any]]:
        lines = (self.data / "evals" / run_id / "questions.jsonl").read_text().splitlines()
        return {row["id"]: row for row in map(json.loads, lines)}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def turns(*verdicts: str) -> list[Sequence[Step]]:
    """What a judge of bias says in each of its repeats: the opinions, the verdicts on them, the reason."""
    return [says(one) for verdict in verdicts for one in (verdict, verdict, verdict)]


@pytest.mark.slow
def test_judged_measures_are_told_with_their_spread_in_the_table_in_json_and_in_mlflow(
    house: House, tmp_path: Path
) -> None:
    (tmp_path / "mlflow").mkdir()
    with mlflow_server(tmp_path / "mlflow") as url, scripted(*turns(YES, NO), says(NO)) as judge:
        path = house.config(judge.base_url)
        settings = yaml.safe_load(path.read_text())
        settings["deployment"]["mlflow"] = {"url": url}
        path.write_text(yaml.safe_dump(settings))
        run = house.run("run", house.suite, "--fresh", "--judge", "bias", "--config", path)
        kept = MlflowClient(url).get_run(run["mlflow_run_id"]).data
        table = json.loads(
            Path(
                MlflowClient(url).download_artifacts(run["mlflow_run_id"], "questions.json", str(tmp_path))
            ).read_text()
        )
    metrics = run["metrics"]
    assert (metrics["bias"], metrics["bias_spread"], metrics["bias_judged"]) == (0.5, 0.5, 1.0)
    assert run["judge"] == {"model": "judge", "repeats": 2}
    assert run["not_judged"] == {}
    rows = house.rows(run["run_id"])
    assert (rows["days"]["bias"], rows["days"]["bias_spread"]) == (0.5, 0.5)
    assert rows["yeast"]["bias"] is None  # a refusal is not judged
    assert {"bias": 0.5, "bias_spread": 0.5, "bias_judged": 1.0}.items() <= kept.metrics.items()
    assert {"judge.model": "judge", "judge.repeats": "2", "judge.measures": "bias"}.items() <= kept.params.items()
    assert {"bias", "bias_spread"} <= set(table["columns"])


@pytest.mark.slow
def test_every_judged_measure_runs_over_the_passages_that_were_found(house: House) -> None:
    with scripted(says(YES)) as judge:
        words = ["run", house.suite, "--fresh", "--judge", "all", "--config", house.config(judge.base_url)]
        shown = house.run(*words, as_json=False)
        asked = json.dumps(judge.asked)
    for name in ("faithfulness", "answer_relevancy", "contextual_precision", "contextual_recall", "hallucination"):
        line = next(one for one in shown.splitlines() if one.startswith(name))
        assert line.split()[1:] == ["1.0000", "±", "0.0000", "1", "answers", "judged,", "2", "times", "each"]
    assert "not judged" not in shown
    assert "Every employee has 27 days of paid leave" in asked


TROUBLES: dict[str, tuple[list[Step], str]] = {
    "down": (refuses(500), "judge"),
    "slow": ([30.0], "gave no opinion within 3 s"),
    "rubbish": (says("I would rather not say."), "no repeat of the judge's verdict could be read"),
}


@pytest.mark.slow
@pytest.mark.parametrize("how", TROUBLES)
def test_judge_in_trouble_costs_its_opinion_alone_and_blocks_only_where_the_rules_say_so(
    house: House, how: str
) -> None:
    script, told = TROUBLES[how]
    with scripted(script) as judge:
        config = house.config(judge.base_url, timeout_s=3 if how == "slow" else 60)
        base = ["--config", config, "--judge", "bias"]
        run = house.run("run", house.suite, "--fresh", *base, "--keep", house.folder / "kept.json")
        assert run["metrics"]["answers_contained"] == 1.0
        assert "bias" not in run["metrics"]
        assert told in run["not_judged"]["bias"]
        assert "bias is not judged" in house.errors
        rules = house.folder / "rules.yaml"
        gate = ["gate", "--suite", house.suite, "--champion", config, *base, "--rules", rules]
        rules.write_text("{}")
        passed = house.run(*gate)
        rules.write_text("measures: {bias: {blocks: true}}")
        refused = house.run(*gate, "--out", house.folder / "out", code=3)
    advised = next(one for one in passed["findings"] if one["name"] == "bias")
    assert (advised["outcome"], passed["verdict"]) == ("skipped", "passed")
    assert refused["refused"] == ["bias"]
    blocked = refused["findings"][0]["says"]
    assert blocked.startswith("not judged: 0 of 1 of the candidate's answers have an opinion")
    assert blocked.endswith("the rules say that it blocks")
    for name in ("gate.md", "gate.xml"):
        assert "not judged" in (house.folder / "out" / name).read_text()


@pytest.mark.slow
def test_gate_compares_opinions_with_those_that_the_same_judge_was_kept_with(house: House) -> None:
    kept, rules = house.folder / "kept.json", house.folder / "rules.yaml"
    with scripted(*turns(NO, NO), says(YES)) as judge:  # of bias yes is bad: 1, and then 0
        base = ["--config", house.config(judge.base_url)]
        house.run("run", house.suite, "--fresh", *base, "--judge", "bias", "--keep", kept)
        gate = ["gate", "--suite", house.suite, "--champion", kept, *base]
        advised = house.run(*gate, "--judge", "bias")
        rules.write_text("measures: {bias: {margin: 0.1, blocks: true}}")
        refused = house.run(*gate, "--rules", rules, code=3)
        house.config(judge.base_url, model={"model": "another"})
        other = house.run(*gate, "--rules", rules, code=3)
    found = next(one for one in advised["findings"] if one["name"] == "bias")
    assert (found["outcome"], found["candidate"], found["champion"], found["spread"]) == ("told", 0.0, 1.0, [0.0, 0.0])
    assert found["difference"] == [-1.0, -1.0, -1.0]
    assert refused["refused"] == ["bias"]
    assert "judged by judge, the candidate's by another" in other["findings"][0]["says"]


@pytest.mark.slow
def test_hosted_judge_reads_what_the_suite_or_the_collection_says_may_leave_and_nothing_else(house: House) -> None:
    with scripted(says(NO)) as judge:
        base = ["--config", house.config(judge.base_url, model={"hosted": True}), "--judge", "bias"]
        house.run("run", house.suite, "--fresh", *base, code=2)
        assert "egress: allow" in house.errors
        house.run("gate", "--suite", house.suite, "--champion", house.folder / "judge.yaml", *base, code=2)
        assert "egress: allow" in house.errors
        assert judge.asked == []
        house.write_suite(egress="allow")
        run = house.run("run", house.suite, "--fresh", *base)
    assert run["metrics"]["bias"] == 1.0


def collection_that_may_leave(data: Path, name: str) -> None:
    async def make() -> None:
        async with open_platform(Settings.model_validate({"deployment": {"data_dir": data}})) as platform:
            await platform.create_collection(name, {"egress": "allow"})

    asyncio.run(make())


@pytest.mark.slow
def test_answers_of_a_collection_are_judged_by_a_hosted_model_where_its_owner_said_that_they_may_be(
    house: House,
) -> None:
    collection_that_may_leave(house.data, "open")
    for name in ("open", "closed"):
        house.verb("ingest", house.folder / "docs", "--collection", name)
    with scripted(says(YES)) as judge:
        base = ["--config", house.config(judge.base_url, model={"hosted": True}), "--judge", "faithfulness"]
        house.run("run", house.suite, "--collection", "closed", *base, code=2)
        assert "egress: allow" in house.errors
        assert judge.asked == []
        run = house.run("run", house.suite, "--collection", "open", *base)
        asked = json.dumps(judge.asked)
    assert (run["metrics"]["faithfulness"], run["metrics"]["faithfulness_judged"]) == (1.0, 1.0)
    assert "Every employee has 27 days of paid leave" in asked


def test_judge_that_is_not_named_or_asked_the_impossible_is_bad_usage_before_anything_is_asked(house: House) -> None:
    config = house.folder / "none.yaml"
    config.write_text("{}\n")
    house.run("run", house.suite, "--fresh", "--judge", "bias", "--config", config, code=2)
    assert "no judge is named; name one of deployment.generation.models" in house.errors
    house.run("run", house.suite, "--fresh", "--judge", "magic", "--config", config, code=2)
    assert "'magic' is no judged measure: name some of faithfulness" in house.errors
