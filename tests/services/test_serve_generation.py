"""`ragstead serve generation` over a stand-in for vLLM: gate, signals, exit codes, and that nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from integration.generation_process import alive, children_of
from programs import free_port

RAGSTEAD = [sys.executable, "-m", "ragstead_cli.main", "serve", "generation"]
STAND_IN = """
import http.server, os, pathlib, signal, subprocess, sys, threading, time
how = os.environ["STAND_IN"]
record = pathlib.Path(os.environ["RECORD"])
record.write_text("\\n".join([*sys.argv[1:], *(f"{k}={v}" for k, v in os.environ.items())]))
if how == "dies":
    sys.exit(3)
engine = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])  # survives its parent, as vLLM's
ready = []
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if ready else 503)
        self.end_headers()
    def log_message(self, *words): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("loading", flush=True)
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    signal.signal(signal.SIGTERM, lambda *_: (engine.kill(), os._exit(7)))
time.sleep(0.5)
if how != "never":
    record.with_suffix(".ready").touch()
    ready.append(1)
time.sleep(60)
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A configuration whose Python finds, as vLLM, a server of a few lines."""
    package = tmp_path / "site" / "vllm" / "entrypoints" / "openai"
    package.mkdir(parents=True)
    (package / "api_server.py").write_text(STAND_IN)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{tmp_path / "site"}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return settings(tmp_path, python=str(python))


def settings(folder: Path, **vllm: object) -> Path:
    file = folder / "ragstead.yaml"
    file.write_text(yaml.safe_dump({"deployment": {"generation": {"vllm": vllm}}}))
    return file


@contextmanager
def started(config: Path, how: str = "well", *more: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """Run the verb on a free port."""
    words = [*RAGSTEAD, "--json", "--profile", "cpu-tiny", "--config", str(config), "--port", str(free_port()), *more]
    variables = {**os.environ, "STAND_IN": how, "RECORD": str(config.parent / "record"), **environ}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables)
    try:
        yield process
    finally:
        process.terminate()
        time.sleep(0.05)
        process.terminate()
        process.communicate(timeout=30)


def test_it_says_that_it_is_ready_once_the_server_is_healthy(stand_in: Path) -> None:
    with started(stand_in) as process:
        said = json.loads(process.stdout.readline())
        assert (stand_in.parent / "record.ready").exists()
        assert said["pid"] == process.pid
        assert urllib.request.urlopen(f"{said['url']}/health", timeout=5).status == 200
    recorded = (stand_in.parent / "record").read_text().split("\n")
    assert recorded[recorded.index("--served-model-name") + 1] == "cpu-tiny"
    assert {"VLLM_NO_USAGE_STATS=1", "DO_NOT_TRACK=1", "VLLM_CPU_KVCACHE_SPACE=1"} <= set(recorded)


def test_signal_is_passed_on_and_its_exit_code_is_the_servers(stand_in: Path) -> None:
    with started(stand_in) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 7


def test_server_that_is_killed_takes_its_engine_along(stand_in: Path) -> None:
    with started(stand_in) as process:
        process.stdout.readline()
        server, engine = everything = children_of(process.pid)
        os.kill(server, signal.SIGKILL)
        assert process.wait(10) == 128 + signal.SIGKILL
        assert [pid for pid in everything if alive(pid)] == [], engine


def test_server_that_obeys_no_signal_is_killed_by_the_second(stand_in: Path) -> None:
    with started(stand_in, "deaf") as process:
        process.stdout.readline()
        everything = children_of(process.pid)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert process.poll() is None
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 128 + signal.SIGKILL
        assert [pid for pid in everything if alive(pid)] == []


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells children of their parent's death on Linux alone")
def test_server_ends_where_we_are_killed(stand_in: Path) -> None:
    with started(stand_in) as process:
        process.stdout.readline()
        everything = children_of(process.pid)
        process.kill()
        deadline = time.monotonic() + 10
        while [pid for pid in everything if alive(pid)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_server_that_dies_while_it_loads_ends_with_its_exit_code_and_nothing_on_stdout(stand_in: Path) -> None:
    with started(stand_in, "dies") as process:
        assert process.stdout.read() == ""
        assert process.wait(10) == 3


def test_server_that_is_never_healthy_is_given_up(stand_in: Path) -> None:
    config = yaml.safe_load(stand_in.read_text())
    config["deployment"]["generation"]["vllm"]["ready_s"] = 1.5
    stand_in.write_text(yaml.safe_dump(config))
    with started(stand_in, "never") as process:
        assert process.stdout.read() == ""
        assert process.wait(10) == 4
        assert "vLLM did not answer after 1.5 s" in process.stderr.read()


def ended(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*RAGSTEAD, *map(str, words)], capture_output=True, text=True, timeout=60, check=False)


def test_missing_environment_is_said_in_one_line_with_the_command_that_makes_it(tmp_path: Path) -> None:
    config = settings(tmp_path, python=str(tmp_path / "none" / "python"))
    done = ended("--profile", "cpu-tiny", "--config", config, "--port", "0")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "python3 scripts/generation_env.py" in done.stderr
    assert done.stdout == ""


def test_taken_port_is_said_before_anything_is_loaded(stand_in: Path) -> None:
    with started(stand_in) as process:
        port = json.loads(process.stdout.readline())["url"].rpartition(":")[2]
        done = ended("--profile", "cpu-tiny", "--config", stand_in, "--port", port)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"port {port} on 127.0.0.1 is taken" in done.stderr


def test_other_addresses_than_loopback_need_a_key(stand_in: Path) -> None:
    config = yaml.safe_load(stand_in.read_text())
    config["deployment"]["host"] = "0.0.0.0"
    stand_in.write_text(yaml.safe_dump(config))
    done = ended("--profile", "cpu-tiny", "--config", stand_in, "--port", "0")
    assert done.returncode == 2
    assert "no API key is configured" in done.stderr


def test_key_reaches_the_server_by_its_environment_and_never_by_its_words(stand_in: Path) -> None:
    config = yaml.safe_load(stand_in.read_text())
    config["deployment"]["generation"]["vllm"]["api_key"] = "env:MY_KEY"
    stand_in.write_text(yaml.safe_dump(config))
    with started(stand_in, MY_KEY="a-key-of-the-tests") as process:
        process.stdout.readline()
    recorded = (stand_in.parent / "record").read_text().split("\n")
    assert "VLLM_API_KEY=a-key-of-the-tests" in recorded
    assert "a-key-of-the-tests" not in recorded


def test_profile_that_is_not_there_is_refused_with_those_that_are() -> None:
    done = ended("--profile", "gpt-9", "--print-command")
    assert done.returncode == 2
    assert "no profile named 'gpt-9'" in done.stderr
    assert "llama-3.1-8b" in done.stderr


def test_command_is_printed_as_a_shell_reads_it_and_as_json(tmp_path: Path) -> None:
    config = settings(tmp_path, python="/opt/vllm/bin/python")
    words: Sequence[str | Path] = ("--profile", "gpt-neox-20b", "--config", config, "--model", "weights/neox")
    shown = json.loads(ended(*words, "--print-command", "--json").stdout)
    assert shown["command"][:5] == ["/opt/vllm/bin/python", "-m", "vllm.entrypoints.openai.api_server", "--model",
                                    "weights/neox"]  # fmt: skip
    assert "--revision" not in shown["command"]
    assert shown["environment"]["VLLM_NO_USAGE_STATS"] == "1"
    printed = ended(*words, "--print-command").stdout
    script = textwrap.dedent(f"set -- $(true); for word in; do :; done; printf '%s\\0' {printed.split(' ', 3)[3]}")
    parsed = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert parsed.split("\0")[:-1] == shown["command"]
