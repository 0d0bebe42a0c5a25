"""`ragstead serve generation` and a gateway before it, as processes of the tests' own; vLLM is the real one."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ROOT / ".generation"
PYTHON = ENVIRONMENT / "bin" / "python"
RAGSTEAD = [sys.executable, "-m", "ragstead_cli.main"]


def needed_environment() -> None:
    """Skips without vLLM's environment, or fails where RAGSTEAD_REQUIRE_SERVICES is 1."""
    if (ENVIRONMENT / ".stamps" / "dependencies").is_file():
        return
    what = "vLLM's environment is not there: python3 scripts/generation_env.py cpu"
    if os.environ.get("RAGSTEAD_REQUIRE_SERVICES") == "1":
        pytest.fail(what)
    pytest.skip(what)


def environ() -> dict[str, str]:
    """Ours, without what would change what is tested, and with no way to the model hub."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("RAGSTEAD_", "VLLM_"))}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)  # or each start of vLLM compiles it all, in each of its processes
    return {**kept, "HF_HUB_OFFLINE": "1"}


def tiny_model(family: str, folder: Path) -> Path:
    """A checkpoint of random weights; see tiny_language_models.py."""
    script = Path(__file__).parent / "tiny_language_models.py"
    command = [str(PYTHON), str(script), family, str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120, env=environ())
    return folder


def write_settings(folder: Path, *, pipeline: dict | None = None, **generation: object) -> Path:
    """A configuration whose vLLM is the one of this checkout."""
    described = {"vllm": {"python": str(PYTHON), "ready_s": 240}, **generation}
    file = folder / "ragstead.yaml"
    file.write_text(yaml.safe_dump({"pipeline": pipeline or {}, "deployment": {"generation": described}}))
    return file


@dataclass(frozen=True)
class Running:
    """A process that said where it answers."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a counter or gauge over the labels not given."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        rows = [line for line in lines if re.match(rf"{name}(\{{|\s)", line) and all(one in line for one in wanted)]
        return sum(float(row.rsplit(" ", 1)[1]) for row in rows)


@contextmanager
def running(words: Sequence[str | Path], log: Path) -> Iterator[Running]:
    """Run a `serve` verb; give it once it has said that it is ready. It is asked to end, and then made to."""
    with log.open("w") as file:
        process = subprocess.Popen(
            [*RAGSTEAD, "serve", *map(str, words), "--json"],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            env=environ(),
            cwd=ROOT,
        )
    assert process.stdout is not None
    try:
        said = process.stdout.readline()
        assert said, f"it ended with {process.wait(60)}: {log.read_text()[-3000:]}"
        yield Running(process, json.loads(said)["url"], log)
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=40)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()


def children_of(pid: int) -> list[int]:
    """The processes that a process started, and those that they started."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = {int(line.split()[0]): int(line.split()[1]) for line in listed.splitlines()}
    found = [child for child, parent in parents.items() if parent == pid]
    return found + [one for child in found for one in children_of(child)]


def alive(pid: int) -> bool:
    """Says whether a process runs; one that has ended and is not yet reaped does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")
