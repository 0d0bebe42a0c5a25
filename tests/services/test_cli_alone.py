import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

RAGSTEAD = Path(sys.executable).parent / "ragstead"
LEAVE = "# Leave\n\nEvery employee has 27 days of paid annual leave in a calendar year.\n"
QUESTION = "How many days of paid annual leave does every employee have?"


def environment(**more):
    return {**{name: value for name, value in os.environ.items() if not name.startswith("RAGSTEAD_")}, **more}


def run(*words, code=0):
    done = subprocess.run(
        [str(RAGSTEAD), *map(str, words), "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment(),
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("docs")
    (folder / "leave.md").write_text(LEAVE)
    (folder / "coffee.txt").write_text("The coffee machine on the second floor is cleaned on Fridays.\n")
    (folder / "nothing.txt").write_text("")
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 this is none")
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory, folder):
    """A data directory into which a verb of its own put the folder."""
    store = tmp_path_factory.mktemp("data") / "store"
    report = run("ingest", folder, "--meta", "year=2024", "--data-dir", store, code=1)
    assert report["documents"] == {"indexed": 2, "unchanged": 0, "empty": 1, "failed": 1}
    assert [Path(failure["path"]).name for failure in report["failures"]] == ["broken.pdf"]
    return store


def test_answer_of_a_process_of_its_own_quotes_its_document(store):
    answer = run("ask", QUESTION, "--data-dir", store)
    assert not answer["refused"]
    assert "27 days" in answer["answer"]
    citation = answer["citations"][0]
    assert citation["quote"] in LEAVE
    shown = run("documents", "show", citation["document_id"], "--text", "--data-dir", store)
    assert shown["text"][citation["quote_start"] : citation["quote_end"]] == citation["quote"]
    assert shown["attributes"] == {"year": 2024}


def test_doctor_finds_nothing_wrong_with_it(store):
    checks = {check["check"]: check["status"] for check in run("doctor", "--data-dir", store)["checks"]}
    assert {checks[name] for name in ("python", "database", "models", "index default", "metadata")} == {"ok"}


def test_damaged_database_fails_the_doctor(tmp_path):
    (tmp_path / "metadata.db").write_bytes(b"not a database" * 100)
    report = run("doctor", "--data-dir", tmp_path, code=1)
    assert {check["check"]: check["status"] for check in report["checks"]}["database"] == "fail"


def test_up_serves_its_samples_to_verbs_and_strangers_and_ends_on_a_signal(tmp_path, folder):
    command = [
        str(RAGSTEAD),
        "up",
        "--port",
        "0",
        "--samples",
        str(folder),
        "--data-dir",
        str(tmp_path / "s"),
        "--json",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()
    ) as platform:
        try:
            assert platform.stdout is not None
            serving = json.loads(platform.stdout.readline())
            assert serving["pid"] == platform.pid
            report = run("ingest", folder / "leave.md", "--data-dir", tmp_path / "s")
            assert report["documents"]["failed"] == 0
            assert (
                run("search", "annual leave", "-k", "1", "--data-dir", tmp_path / "s")["hits"][0]["filename"]
                == "leave.md"
            )
            second = subprocess.run([*command], capture_output=True, text=True, env=environment(), check=False)
            assert (second.returncode, second.stdout) == (4, "")
            assert serving["url"] in second.stderr
            with urllib.request.urlopen(f"{serving['url']}/health/ready") as answer:
                assert json.load(answer)["ready"]
        finally:
            platform.send_signal(signal.SIGINT)
            _, errors = platform.communicate(timeout=60)
    assert platform.returncode == 0
    assert "Traceback" not in errors


def test_exposed_address_without_a_key_is_refused(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text('deployment: {host: "0.0.0.0"}\n')
    command = [str(RAGSTEAD), "up", "--config", str(config), "--data-dir", str(tmp_path / "s")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "api_keys" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "ada"], "there are all-MiniLM-L6-v2, all-mpnet-base-v2"),
        (["--runtime", "cuda"], "'cuda' is none of onnx-int8, onnx-fp32"),
    ],
)
def test_export_of_an_unknown_model_or_runtime_names_those_there_are(words, said):
    done = subprocess.run([RAGSTEAD, "models", "export", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
