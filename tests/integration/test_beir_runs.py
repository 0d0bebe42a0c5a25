"""`eval run` and `eval gate` over a BEIR folder: figures, reports, and what MLflow keeps of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import yaml
from mlflow import MlflowClient

from integration.mlflow_server import mlflow_server
from integration.test_gate import both, command, ragstead

SUBJECTS = ("leave lunch vault bicycle printer laptop badge parking travel salary pension training library canteen "
            "insurance overtime holiday contract laundry garden").split()  # fmt: skip
BUSY = "Words about many things stand here, so that the page is as long as others are. "
"""Of every document, so that a search by nothing but meaning has a hard time with names that mean nothing."""


def beir(folder: Path, *, names: str = "ZQ{n}X") -> Path:
    """A folder of documents that only a name tells apart, and a query for each name."""
    (folder / "qrels").mkdir(parents=True)
    codes = [names.format(n=100 + 7 * n) for n in range(2 * len(SUBJECTS))]
    texts = [f"{BUSY}The form {code} is about {SUBJECTS[n % 20]}." for n, code in enumerate(codes)]
    write(
        folder / "corpus.jsonl",
        *({"_id": code, "title": "", "text": text} for code, text in zip(codes, texts, strict=True)),
    )
    write(folder / "queries.jsonl", *({"_id": f"q{n}", "text": f"form {code}"} for n, code in enumerate(codes)),
          {"_id": "unjudged", "text": "nobody knows"})  # fmt: skip
    judged = [f"q{n}\t{code}\t1" for n, code in enumerate(codes)]
    (folder / "qrels" / "test.tsv").write_text("\n".join(["query-id\tcorpus-id\tscore", *judged]) + "\n")
    return folder


def write(path: Path, *rows: Mapping[str, object]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def configured(path: Path, **settings: Any) -> Path:
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.mark.slow
def test_run_is_logged_to_mlflow_with_its_release_its_table_and_its_plots(tmp_path: Path) -> None:
    folder = beir(tmp_path / "forms")
    (tmp_path / "mlflow").mkdir()
    with mlflow_server(tmp_path / "mlflow") as url:
        config = configured(tmp_path / "c.yaml", deployment={"mlflow": {"url": url}})
        base = ["--config", config, "--data-dir", tmp_path / "data"]
        created = command("release", "create", *base)["release"]
        run = ragstead("run", folder, *base, "--strategy", "lexical", code=0)
        fresh = ragstead("run", folder, "--fresh", *base, code=0)
        client = MlflowClient(url)
        kept = client.get_run(run["mlflow_run_id"])
        files = {one.path for one in client.list_artifacts(run["mlflow_run_id"])}
        table = json.loads(
            Path(client.download_artifacts(run["mlflow_run_id"], "questions.json", str(tmp_path))).read_text()
        )
        of_release = command("release", "show", created, *base)["runs"]
    assert run["release"] == fresh["release"] == created
    assert run["metrics"]["ndcg@10"] == run["metrics"]["hit@1"] == 1.0  # a name stands in one document alone
    assert run["metrics"]["latency_ms_p50"] <= run["metrics"]["latency_ms_p95"]
    assert kept.data.metrics["ndcg_at_10"] == run["metrics"]["ndcg@10"]
    assert kept.data.metrics["latency_ms_p95"] == run["metrics"]["latency_ms_p95"]
    assert kept.data.params["asked.strategy"] == "lexical"
    assert kept.data.params["retrieval.alpha"] == "0.5"
    assert kept.data.tags["kind"] == "ranking"
    assert files == {"questions.json", "recall.png", "ndcg.png", "latency.png", "results.json", "run.trec"}
    assert table["columns"][:4] == ["id", "question", "latency_ms", "ndcg@10"]
    assert len(table["data"]) == 40
    assert {one["experiment"] for one in of_release} == {"forms"}


@pytest.mark.slow
def test_worse_ranking_is_refused_with_exit_3_by_its_measures_in_every_report(tmp_path: Path) -> None:
    folder, out = beir(tmp_path / "forms"), tmp_path / "out"
    dense = configured(tmp_path / "dense.yaml", pipeline={"retrieval": {"strategy": "dense"}})
    good = configured(tmp_path / "good.yaml")
    words = ["--suite", folder, "--data-dir", tmp_path / "data"]
    document = ragstead("gate", *words, "--candidate", dense, "--champion", good, "--out", out, code=3)
    assert {"ndcg@10", "mrr@10"} <= set(document["refused"]) <= {"ndcg@10", "mrr@10", "recall@10", "latency"}
    assert document["questions"] == 40
    found = {one["name"]: one for one in document["findings"]}
    assert set(found) == {"ndcg@10", "recall@10", "recall@100", "mrr@10", "hit@1", "latency"}
    value, low, high = found["ndcg@10"]["difference"]
    assert low <= value <= high < 0
    assert found["latency"]["difference"] is not None
    failed = [one.get("name") for one in ET.parse(out / "gate.xml").iter("testcase") if one.find("failure") is not None]
    assert failed == document["refused"]
    text = (out / "gate.md").read_text()
    assert text.startswith("# Gate: refused: ")
    assert "form ZQ" in text  # the queries that got worse, in their words
    assert json.loads((out / "gate.json").read_text())["verdict"] == "refused"
    same = ragstead("gate", *words, "--candidate", good, "--champion", good, "--sample", 10, code=0)
    assert (same["verdict"], same["questions"]) == ("passed", 10)


@pytest.mark.slow
def test_results_of_a_folder_that_were_kept_are_a_champion_and_the_verdict_stands_with_the_release(
    tmp_path: Path,
) -> None:
    folder, store = beir(tmp_path / "forms"), ["--data-dir", tmp_path / "data"]
    dense = configured(tmp_path / "dense.yaml", pipeline={"retrieval": {"strategy": "dense"}})
    told = ragstead("gate", "--suite", folder, *store, code=2)
    assert f"--keep {tmp_path / 'baseline' / 'forms.json'}" in told["error"]
    ragstead("run", folder, "--fresh", "--keep", tmp_path / "baseline" / "forms.json", *store, code=0)
    assert ragstead("gate", "--suite", folder, *store, code=0)["verdict"] == "passed"
    worse = command("release", "create", "--config", dense, *store)["release"]
    refused = ragstead("gate", "--suite", folder, "--candidate", worse, *store, code=3)
    assert refused["recorded"] is True
    assert refused["candidate"] == worse
    assert next(one for one in refused["findings"] if one["name"] == "latency")["outcome"] == "skipped"
    shown = command("release", "show", worse, *store)
    assert shown["gate"]["outcome"] == "refused"
    assert {one["experiment"] for one in shown["runs"]} == {"forms gate"}


def test_mlflow_that_is_down_is_a_warning_and_the_run_is_kept(tmp_path: Path) -> None:
    config = configured(tmp_path / "c.yaml", deployment={"mlflow": {"url": "http://127.0.0.1:9", "timeout_s": 1}})
    words = ["eval", "run", beir(tmp_path / "forms"), "--fresh", "--config", config, "--data-dir", tmp_path / "data"]
    document, errors = both(*words)
    assert document["mlflow_run_id"] is None
    assert "MLflow at http://127.0.0.1:9 does not answer" in errors
    assert (tmp_path / "data" / "evals" / document["run_id"] / "questions.jsonl").exists()
    assert (tmp_path / "data" / "evals" / f"{document['run_id']}.trec").read_text().count("\n") == 40 * 40


def test_folder_that_can_not_be_gated_is_told(tmp_path: Path) -> None:
    folder, store = beir(tmp_path / "forms"), ["--data-dir", tmp_path / "data"]
    champion = ["--champion", configured(tmp_path / "c.yaml")]
    told = ragstead("gate", "--suite", folder, *champion, "--judge", "bias", *store, code=2)
    assert "nothing to judge" in told["error"]
    told = ragstead("run", folder, "--judge", "bias", *store, code=2)
    assert "nothing to judge" in told["error"]
    (folder / "corpus.jsonl").write_text("{\n")
    told = ragstead("gate", "--suite", folder, *champion, *store, code=2)
    assert "corpus.jsonl:1" in told["error"]
    (folder / "qrels" / "test.tsv").write_text("q0\tZQ100X\t0\n")
    told = ragstead("gate", "--suite", folder, *champion, *store, code=2)
    assert "no query that its qrels judge" in told["error"]
