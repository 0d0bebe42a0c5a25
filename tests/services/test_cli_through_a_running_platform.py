import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ragstead.adapters.directory_lock import DirectoryLock
from ragstead_cli.main import main
from services.fake_api import KEY, FakeApi, served

RAGSTEAD = Path(sys.executable).parent / "ragstead"


class Cli:
    """The real executable on one data directory."""

    def __init__(self, data_dir):
        self.data_dir = data_dir

    def run(self, *words, **environ):
        command = [str(RAGSTEAD), *map(str, words), "--data-dir", str(self.data_dir)]
        plain = {name: value for name, value in os.environ.items() if not name.startswith("RAGSTEAD_")}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**plain, **environ}, check=False
        )

    def json(self, *words, code=0):
        done = self.run(*words, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def refusal(self, *words, code, **environ):
        """The one line on stderr of a call that must fail with `code` and print nothing on stdout."""
        done = self.run(*words, "--json", **environ)
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert done.stderr.count("\n") == 1
        assert "Traceback" not in done.stderr
        return done.stderr


@pytest.fixture
def fake():
    return FakeApi()


@pytest.fixture
def cli(tmp_path, fake):
    with served(fake, tmp_path / "store"):
        yield Cli(tmp_path / "store")


def lines(path, *rows):
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows), "utf-8")
    return path


def test_ingesting_a_folder_reports_each_outcome_and_fails_for_what_failed(cli, fake, tmp_path):
    folder = tmp_path / "docs"
    (folder / "inner").mkdir(parents=True)
    (folder / ".hidden").write_text("no")
    (folder / "a.txt").write_text("parental leave is long\nand paid")
    (folder / "inner" / "b.txt").write_text("")
    (folder / "broken.txt").write_text("\x00")
    (folder / "out.txt").symlink_to("/etc/hostname")
    (folder / "in.txt").symlink_to(folder / "a.txt")
    report = cli.json("ingest", folder, "--meta", "year=2024", "--meta", 'code="7"', "--meta", "ok=true", code=1)
    assert report["documents"] == {"indexed": 2, "unchanged": 0, "empty": 1, "failed": 2}
    assert report["chunks"] == 4
    reasons = {Path(failure["path"]).name: failure["reason"] for failure in report["failures"]}
    assert reasons["broken.txt"] == "it is damaged"
    assert "leads out of the folder" in reasons["out.txt"]
    assert {view["filename"] for view in fake.stores["default"].values()} == {"a.txt", "b.txt", "broken.txt", "in.txt"}
    assert {json.dumps(view["attributes"]) for view in fake.stores["default"].values()} == {
        '{"year": 2024, "code": "7", "ok": true}'
    }
    again = cli.json("ingest", folder, "--meta", "year=2024", code=1)
    assert again["documents"] == {"indexed": 0, "unchanged": 3, "empty": 0, "failed": 2}


def test_beir_corpus_goes_in_by_its_own_ids_and_bad_lines_are_named(cli, fake, tmp_path):
    good = [{"_id": f"d{n}", "title": "t", "text": f"text {n}", "metadata": {"n": n, "l": [1]}} for n in range(450)]
    good[7]["text"] = "poison"
    rows = [*good, "{", {"_id": "d1", "text": "again"}, {"_id": "x"}, {"_id": "nan", "text": "t", "n": float("nan")}]
    lines(tmp_path / "corpus.jsonl", *rows)
    report = cli.json("ingest", tmp_path, "--format", "beir", "--collection", "c", code=1)
    assert report["documents"] == {"indexed": 449, "unchanged": 0, "empty": 0, "failed": 5}
    failed = {failure["path"].rsplit(":", 1)[1]: failure["reason"] for failure in report["failures"]}
    assert set(failed) == {"8", "451", "452", "453", "454"}
    assert "earlier line" in failed["452"]
    assert fake.stores["c"]["d3"]["attributes"] == {"n": 3, "l": "[1]"}


def test_documents_are_listed_over_all_pages_shown_and_deleted(cli, tmp_path):
    corpus = [{"_id": f"a/b {n:02}?", "text": f"text {n}"} for n in range(25)]
    lines(tmp_path / "corpus.jsonl", *corpus)
    cli.json("ingest", tmp_path, "--format", "beir")
    listed = cli.json("documents", "list")["documents"]
    assert [view["document_id"] for view in listed] == [row["_id"] for row in corpus]
    assert cli.json("documents", "show", "a/b 03?", "--text")["text"] == "text 3"
    assert "text" not in cli.json("documents", "show", "a/b 03?")
    cli.json("documents", "delete", "a/b 03?")
    assert "a/b 03?" in cli.refusal("documents", "show", "a/b 03?", code=2)


def test_batch_search_ranks_documents_and_asks_for_more_where_one_fills_the_list(cli, fake, tmp_path):
    rows = [{"_id": "many", "text": "leave\n" * 40}, *({"_id": f"d{n}", "text": "leave now"} for n in range(4))]
    lines(tmp_path / "corpus.jsonl", *rows)
    cli.json("ingest", tmp_path, "--format", "beir")
    queries = lines(tmp_path / "queries.jsonl", *({"_id": f"q{n}", "text": "leave"} for n in range(30)))
    run = tmp_path / "out.trec"
    assert cli.json("search", "--queries", queries, "--run", run, "-k", "5")["queries"] == 30
    fields = [line.split() for line in run.read_text().splitlines()]
    first = [row for row in fields if row[0] == "q0"]
    assert sorted(row[2] for row in first) == ["d0", "d1", "d2", "d3", "many"]
    scores = [float(row[4]) for row in first]
    assert all(above > below for above, below in itertools.pairwise(scores))
    assert [row[0] for row in fields[::5]] == [f"q{n}" for n in range(30)]
    assert 1 < fake.most_at_once <= 8


def test_batch_with_a_refused_query_does_the_rest_and_exits_1(cli, tmp_path):
    lines(tmp_path / "corpus.jsonl", {"_id": "d", "text": "leave"})
    cli.json("ingest", tmp_path, "--format", "beir")
    queries = lines(tmp_path / "q.jsonl", {"_id": "q1", "text": "leave"}, {"_id": "q2", "text": " "})
    done = cli.run("search", "--queries", queries, "--run", tmp_path / "run", "--json")
    assert done.returncode == 1
    assert "'q2'" in done.stderr
    assert (tmp_path / "run").read_text() == "q1 Q0 d 1 0.500000000 ragstead\n"


def test_white_space_in_an_id_leaves_no_run(cli, tmp_path):
    lines(tmp_path / "corpus.jsonl", {"_id": "a b", "text": "leave"})
    cli.json("ingest", tmp_path, "--format", "beir")
    queries = lines(tmp_path / "q.jsonl", {"_id": "q1", "text": "leave"})
    assert "'a b'" in cli.refusal("search", "--queries", queries, "--run", tmp_path / "run", code=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.jsonl", "q.jsonl", "store"]


def test_asking_prints_the_parts_of_the_answer_and_a_batch_keeps_its_order(cli, tmp_path):
    lines(tmp_path / "corpus.jsonl", {"_id": "d", "text": "parental leave is paid"})
    cli.json("ingest", tmp_path, "--format", "beir")
    answer = cli.json("ask", "parental leave")
    assert list(answer) == ["answer", "refused", "reason", "p_supported", "citations", "receipt"]
    assert answer["receipt"]["release"] == "r-1"
    questions = lines(tmp_path / "q.jsonl", *({"_id": n, "text": "leave" if n % 2 else "zebra"} for n in range(20)))
    told = tmp_path / "told.jsonl"
    report = cli.json("ask", "--questions", questions, "--answers", told)
    assert (report["questions"], report["refused"]) == (20, 10)
    rows = [json.loads(line) for line in told.read_text().splitlines()]
    assert [row["_id"] for row in rows] == [str(n) for n in range(20)]
    assert all(isinstance(row["p_supported"], float) for row in rows)
    assert "“parental leave is paid”" in cli.run("ask", "parental leave").stdout


def test_evaluation_of_a_beir_folder_measures_every_judged_query(cli, tmp_path):
    folder = tmp_path / "set"
    (folder / "qrels").mkdir(parents=True)
    lines(folder / "corpus.jsonl", {"_id": "d1", "text": "leave"}, {"_id": "d2", "text": "pay"})
    queries = [{"_id": "q1", "text": "leave"}, {"_id": "q2", "text": "zebra"}, {"_id": "q3", "text": "unjudged"}]
    lines(folder / "queries.jsonl", *queries)
    lines(folder / "qrels" / "dev.tsv", "query-id\tcorpus-id\tscore", "q1\td1\t1", "q2\td2\t1", "without-text\td2\t1")
    document = cli.json("eval", "run", folder)
    measured = dict.fromkeys(["ndcg@10", "recall@10", "recall@100", "mrr@10", "hit@1"], 0.5)
    assert document["metrics"] | measured | {"questions": 2} == document["metrics"]
    rows = [
        json.loads(line)
        for line in (cli.data_dir / "evals" / document["run_id"] / "questions.jsonl").read_text().splitlines()
    ]
    assert {row["id"]: row["ndcg@10"] for row in rows} == {"q1": 1.0, "q2": 0.0}
    assert (cli.data_dir / "evals" / f"{document['run_id']}.trec").exists()


def test_evaluation_of_a_suite_measures_answers_refusals_and_citations(cli, tmp_path):
    lines(tmp_path / "corpus.jsonl", {"_id": "leave", "text": "leave lasts 30 days"})
    cli.json("ingest", tmp_path, "--format", "beir")
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        "- {id: a, question: leave days, answers: [30 days], sources: [leave.txt]}\n"
        "- {id: b, question: leave colour, answerable: false}\n"
        "- {id: c, question: zebra, answerable: false}\n"
    )
    metrics = cli.json("eval", "run", suite)["metrics"]
    assert metrics["answers_contained"] == metrics["sources_cited"] == metrics["citations_valid"] == 1.0
    assert (metrics["refusal_precision"], metrics["refusal_recall"]) == (1.0, 0.5)


def test_evaluation_looks_into_the_collection_that_it_is_told(cli, tmp_path):
    lines(tmp_path / "corpus.jsonl", {"_id": "leave", "text": "leave lasts 30 days"})
    cli.json("ingest", tmp_path, "--format", "beir", "--collection", "people")
    suite = tmp_path / "suite.yaml"
    suite.write_text("- {id: a, question: leave days, answers: [30 days]}\n")
    assert cli.json("eval", "run", suite, "--collection", "people")["metrics"]["answers_contained"] == 1.0


def test_full_queue_is_waited_for(cli, fake, tmp_path):
    (tmp_path / "a.txt").write_text("leave")
    fake.busy = 3
    assert cli.json("ingest", tmp_path / "a.txt")["documents"]["indexed"] == 1


def test_api_key_is_taken_from_the_environment(cli, fake):
    fake.key = KEY
    assert "API key" in cli.refusal("models", "list", code=2)
    assert cli.run("models", "list", RAGSTEAD_API_KEY=KEY).returncode == 0


def test_platform_that_fails_is_told_in_one_line(cli, fake):
    fake.stores["default"] = {}
    assert "500" in cli.refusal("ask", "crash", code=1)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["search"], "QUERY"),
        (["search", "x", "--queries", "q"], "QUERY"),
        (["search", "x", "-k", "0"], "-k"),
        (["search", "x", "--strategy", "magic"], "magic"),
        (["search", "x", "--filter", "[1"], "[1"),
        (["search", "x", "--collection", "nowhere"], "nowhere"),
        (["search", ""], "empty"),
        (["search", "--queries", "/nowhere", "--run", "/tmp/x"], "/nowhere"),
        (["ask"], "QUESTION"),
        (["ingest", "/nowhere/at/all"], "/nowhere/at/all"),
        (["ingest", "/tmp", "--meta", "novalue"], "novalue"),
        (["ingest", "/dev/null", "--format", "beir"], "corpus.jsonl"),
        (["eval", "run", "/nowhere"], "/nowhere"),
        (["eval", "run", "/etc/hostname"], "/etc/hostname"),
        (["documents", "list", "--config", "/nowhere.yaml"], "/nowhere.yaml"),
        (["frobnicate"], "frobnicate"),
        (["ingest"], "PATH"),
    ],
)
def test_bad_input_is_one_line_that_names_it_and_exits_2(cli, words, told, capsys):
    assert main([*words, "--json", "--data-dir", str(cli.data_dir)]) == 2
    shown = capsys.readouterr()
    assert (shown.out, shown.err.count("\n")) == ("", 1)
    assert told in shown.err


def test_closed_pipe_ends_quietly(cli, tmp_path):
    lines(tmp_path / "corpus.jsonl", *({"_id": f"d{n}", "text": "x" * 9000} for n in range(30)))
    cli.json("ingest", tmp_path, "--format", "beir")
    shell = f"set -o pipefail; '{RAGSTEAD}' documents list --json --data-dir '{cli.data_dir}' | true"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode in {0, 1}


def test_owner_that_does_not_answer_exits_4(tmp_path):
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    lock.publish("http://127.0.0.1:9")
    try:
        line = Cli(tmp_path).refusal("search", "x", code=4)
    finally:
        lock.release()
    assert f"process {os.getpid()}" in line
    assert "does not answer" in line
