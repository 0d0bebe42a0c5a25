"""Releases end to end: the verbs, a real MLflow beside a real platform, and a gateway that follows by itself."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mlflow_server import answers
from programs import free_port
from services.mlflow_platform import LEAVE, QUESTION, Place, Up, environment, soon


def servers_of(data: Path) -> list[int]:
    """The processes of MLflow servers on a data directory, by their command lines."""
    listed = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    wanted = f"server_process {data.absolute() / 'mlflow'} "
    return [int(line.split()[0]) for line in listed.splitlines() if wanted in line]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    return Place(tmp_path_factory.mktemp("releases"))


@pytest.fixture(scope="module")
def up(place: Place) -> Iterator[Up]:
    with place.up(place.config("base"), "--mlflow") as running:
        place.run("ingest", place.folder / "leave.md")
        soon(lambda: answers(running.mlflow_url()), "MLflow is up")
        yield running


@pytest.fixture(scope="module")
def releases(place: Place, up: Up) -> dict[str, str]:
    """Three releases, none promoted: as it runs, with more candidates, with other chunks."""
    configs = {
        "base": place.config("base"),
        "wider": place.config("wider", {"retrieval": {"candidates": 150}}),
        "cut": place.config("cut", {"chunker": {"target_tokens": 40}}),
    }
    return {
        name: place.run("release", "create", "--config", path, "--notes", name)["release"]
        for name, path in configs.items()
    }


@pytest.fixture
def champion(place: Place, up: Up, releases: dict[str, str]) -> str:
    """The release of the configuration is the champion, and live."""
    base = releases["base"]
    place.run("release", "promote", base, "--force", "--why", "begin anew")
    soon(lambda: up.release_live() == base, "the champion is live")
    return base


def test_release_of_the_configuration_is_the_one_on_the_answers(
    up: Up, releases: dict[str, str], champion: str
) -> None:
    assert champion == releases["base"]
    assert len(set(releases.values())) == 3


def test_same_configuration_again_is_the_same_version(place: Place, releases: dict[str, str]) -> None:
    listed = place.run("release", "list")["releases"]
    again = place.run("release", "create", "--config", place.folder / "base.yaml")
    assert again["release"] == releases["base"]
    assert len(place.run("release", "list")["releases"]) == len(listed)
    assert again["collections"] == {"default": 1} or again["collections"]["default"] >= 1
    assert again["package_version"]


def test_promotion_and_rollback_are_followed_without_a_restart_and_no_request_fails(
    place: Place, up: Up, releases: dict[str, str], champion: str
) -> None:
    seen: list[str] = []
    failures: list[Exception] = []
    stop = threading.Event()

    def client(number: int) -> None:
        n = 0
        while not stop.is_set():
            n += 1
            try:
                seen.append(up.ask(f"{QUESTION} {number}-{n}")["release"])
            except (OSError, AssertionError, KeyError, ValueError) as error:
                failures.append(error)

    clients = [threading.Thread(target=client, args=(number,)) for number in range(3)]
    for one in clients:
        one.start()
    try:
        soon(lambda: champion in seen, "answers come")
        place.run("release", "promote", releases["wider"], "--force", "--why", "a trial", "--by", "ann")
        soon(lambda: seen[-1] == releases["wider"], "the promotion is followed", 15)
        back = place.run("release", "rollback", "--why", "no better")
        assert back["champion"] == champion
        soon(lambda: seen[-1] == champion, "the rollback is followed", 15)
    finally:
        stop.set()
        for one in clients:
            one.join(60)
    assert failures == []
    changes = [one for one, before in zip(seen[1:], seen, strict=False) if one != before]
    assert set(seen) == {champion, releases["wider"]}
    assert len(changes) < 10  # three clients may overtake each other; nobody goes to and fro
    assert up.word() == f"serves the champion, {champion}"


def test_every_change_is_in_the_audit_trail(place: Place, releases: dict[str, str], champion: str) -> None:
    before = place.run("release", "list")["promotions"]
    place.run("release", "promote", releases["wider"], "--force", "--why", "a trial", "--by", "ann")
    place.run("release", "rollback", "--why", "no better", "--by", "bob")
    after = place.run("release", "list")["promotions"]
    assert after[: len(before)] == before
    [forth, back] = after[len(before) :]
    assert (forth["to"], forth["from"], forth["kind"], forth["forced"]) == (
        releases["wider"],
        champion,
        "promote",
        True,
    )
    assert (forth["by"], forth["why"]) == ("ann", "a trial")
    assert (back["to"], back["from"], back["kind"], back["by"]) == (champion, releases["wider"], "rollback", "bob")
    assert abs(back["at"] - time.time()) < 300
    assert place.run("release", "show", releases["wider"])["promotions"][-2:] == [forth, back]


def test_release_without_the_gates_word_is_refused_with_exit_3(
    place: Place, releases: dict[str, str], champion: str
) -> None:
    told = place.run("release", "promote", releases["wider"], code=3)
    assert "the gate has not seen" in told
    assert "ragstead eval gate" in told
    assert "--why" in place.run("release", "promote", releases["wider"], "--force", code=2)
    assert place.run("release", "show", "champion")["release"] == champion


def test_release_for_another_index_is_refused_with_exit_1_and_can_not_be_forced(
    place: Place, releases: dict[str, str], champion: str
) -> None:
    for words in ((), ("--force", "--why", "whatever")):
        told = place.run("release", "promote", releases["cut"], *words, code=1)
        assert "its chunks are cut by" in told
        assert "'target_tokens': 40" in told


def test_what_differs_is_shown_by_path(place: Place, releases: dict[str, str]) -> None:
    found = place.run("release", "diff", releases["base"], releases["wider"])
    assert found["differences"] == [{"path": "pipeline.retrieval.candidates", "old": 100, "new": 150}]
    to_configuration = place.run("release", "diff", releases["wider"], "--config", place.folder / "base.yaml")
    assert to_configuration["new"] == releases["base"]
    assert place.run("release", "diff", releases["base"], releases["base"])["differences"] == []


def test_release_that_is_not_there_is_told_with_exit_2(place: Place, releases: dict[str, str]) -> None:
    for words in (("show", "r-000000000000"), ("promote", "nope"), ("diff", "champion", "nope")):
        assert "no release named" in place.run("release", *words, code=2)


def test_champion_that_somebody_sets_by_hand_and_that_can_not_be_served_changes_nothing(
    place: Place, up: Up, releases: dict[str, str], champion: str
) -> None:
    version = str(place.run("release", "show", releases["cut"])["version"])
    set_alias(up.mlflow_url(), version)
    told = soon(lambda: (w := up.word()) and "not followed" in w and w, "readiness says so")
    assert releases["cut"] in told
    assert "its chunks are cut by" in told
    assert up.release_live() == champion
    place.run("release", "promote", champion, "--force", "--why", "mend")
    soon(lambda: up.word() == f"serves the champion, {champion}", "it is mended")


def set_alias(url: str, version: str) -> None:
    body = json.dumps({"name": "ragstead", "alias": "champion", "version": version}).encode()
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/registered-models/alias", body, {"content-type": "application/json"}
    )
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10).close()


LOAD = """
import json, sys
import mlflow, pandas
mlflow.set_tracking_uri(sys.argv[1])
model = mlflow.pyfunc.load_model("models:/ragstead@champion", model_config={"data_dir": sys.argv[2]})
asked = model.predict([sys.argv[3]])
framed = model.predict(pandas.DataFrame({"question": [sys.argv[3], "Who?"]}))
print(json.dumps([asked, framed, str(model.metadata.signature)]))
"""


def load_and_ask(uri: str, data: Path) -> tuple[list[Any], list[Any], str]:
    done = subprocess.run(
        [sys.executable, "-c", LOAD, uri, str(data), QUESTION],
        capture_output=True, text=True, timeout=120, env=environment(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    asked, framed, signature = json.loads(done.stdout.splitlines()[-1])
    return asked, framed, signature


def test_champion_answers_as_a_model_of_mlflow_through_the_running_platform(
    place: Place, up: Up, champion: str
) -> None:
    asked, framed, signature = load_and_ask(up.mlflow_url(), place.data)
    assert asked[0]["release"] == champion
    assert "27 days" in asked[0]["answer"]
    assert asked[0]["citations"][0]["quote"] in LEAVE
    assert framed[0]["answer"] == asked[0]["answer"]
    assert len(framed) == 2
    assert "string" in signature


def test_mlflow_that_dies_costs_no_answer_and_the_verbs_say_so(place: Place, up: Up, champion: str) -> None:
    [pid] = servers_of(place.data)
    os.kill(pid, signal.SIGSTOP)
    try:
        soon(lambda: "can't be asked" in up.word(), "readiness says that MLflow is silent")
        assert up.release_live() == champion
        began = time.monotonic()
        assert "does not answer" in place.run("release", "list", code=4)
        assert time.monotonic() - began < 45
    finally:
        os.kill(pid, signal.SIGCONT)
    soon(lambda: up.word() == f"serves the champion, {champion}", "it answers again")
    os.kill(pid, signal.SIGKILL)
    soon(lambda: "can't be asked" in up.word(), "readiness says that MLflow is gone")
    assert up.release_live() == champion
    assert "does not answer" in place.run("release", "promote", champion, code=4)


def test_platform_that_was_killed_leaves_no_mlflow_and_serves_its_champion_without_one(tmp_path: Path) -> None:
    place = Place(tmp_path)
    base, wider = place.config("base"), place.config("wider", {"retrieval": {"candidates": 150}})
    with place.up(base, "--mlflow") as up:
        place.run("ingest", tmp_path / "leave.md")
        soon(lambda: answers(up.mlflow_url()), "MLflow is up")
        release = place.run("release", "create", "--config", wider)["release"]
        assert place.run("release", "promote", release)["changed"]  # the first champion needs no gate
        assert not place.run("release", "promote", release)["changed"]
        soon(lambda: up.release_live() == release, "it is followed")
        assert len(servers_of(place.data)) == 1
        up.process.kill()
        soon(lambda: not servers_of(place.data), "nothing of MLflow is left", 5)
    with place.up(base, "--no-mlflow") as up:
        assert up.release_live() == release
    with place.up(place.config("own", follow=False)) as up:
        assert up.release_live() != release
    asked, _, _ = load_and_ask(f"sqlite:///{place.data / 'mlflow' / 'mlflow.db'}", place.data)
    assert asked[0]["release"] == release  # composed of its manifest, as no platform runs


def test_ctrl_c_ends_mlflow_too(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with place.up(place.config("base"), "--mlflow") as up:
        assert len(servers_of(place.data)) == 1  # it may still be importing
        up.process.send_signal(signal.SIGINT)
        assert up.process.wait(20) in (0, 130, -signal.SIGINT)
        assert servers_of(place.data) == []


def test_port_that_is_taken_is_told_and_stops_nothing(tmp_path: Path, mlflow_port: int) -> None:
    place = Place(tmp_path)
    with place.up(place.config("base", port=mlflow_port), "--mlflow") as up:
        assert up.get("/health/ready")["ready"]
        soon(lambda: f"port {mlflow_port} is taken" in up.log.read_text(), "the log says so")
        assert servers_of(place.data) == []
        assert place.run("release", "list")["releases"] == []  # the verbs work on the files


@pytest.fixture
def mlflow_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_mlflow_of_ones_own_that_is_not_there_costs_nothing_and_is_told_in_one_line(tmp_path: Path) -> None:
    place = Place(tmp_path)
    config = place.config("away", url=f"http://127.0.0.1:{free_port()}", timeout_s=1)
    with place.up(config) as up:
        place.run("ingest", tmp_path / "leave.md", "--config", config)
        assert up.release_live()
        soon(lambda: "can't be asked" in up.word(), "readiness says so")
        assert "does not answer" in place.run("release", "list", "--config", config, code=4)
