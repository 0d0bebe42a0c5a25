"""docs/walk.md, done as it says: its commands one after another, on a platform as `make up` starts it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mlflow_server import answers
from programs import needed
from services.mlflow_platform import Place, Up, soon

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "walk.md").read_text("utf-8")
BLOCK = re.compile(r"^```(sh|yaml|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OURS = ("make up", "export PATH=")
"""Commands that the test has done itself."""
SAMPLE = " --sample 150"
"""Of the gate's questions: enough to tell these releases apart, and in less than half of the time."""
TRACE = re.compile(r"^trace ([0-9a-f]{32})$", re.MULTILINE)
PATIENCE_S = 240


@dataclass
class Walker:
    """Somebody who pastes commands and reads what comes back."""

    folder: Path
    up: Up
    environment: dict[str, str]
    trace_id: str = ""
    said: list[str] = field(default_factory=list)

    def read(self, kind: str, block: str) -> None:
        if kind == "yaml":
            name, _, content = block.partition("\n")
            (self.folder / name.removeprefix("# ")).write_text(content, "utf-8")
        elif kind == "sh":
            assert self.said == [], "of each command the page says what comes back"
            self.said = [line for line in block.splitlines() if not line.startswith(OURS)]
        else:
            self.do(block.splitlines())
            self.said = []

    def do(self, shown: list[str]) -> None:
        """Run the commands of the block before, and find the lines shown, in their order, in what they print."""
        told = "".join(map(self.run, self.said))
        wanted = re.compile(".*".join(map(_pattern, shown)), re.DOTALL)
        if not wanted.search(told):
            assert self.said[0].startswith("ragstead replay"), (shown, told)  # the platform may follow a moment later
            told = soon(lambda: _found(wanted, "".join(map(self.run, self.said))), f"{shown} in {told}", 20)
        if found := TRACE.search(told):
            self.trace_id = found[1]

    def run(self, line: str) -> str:
        command, _, comment = line.partition("    # ")
        command = command.replace("TRACE_ID", self.trace_id).replace("http://127.0.0.1:8080", self.up.url)
        if command.startswith("curl"):
            soon(lambda: self._status(command) == "200", "the trace has arrived")
        done = self._shell(command + (SAMPLE if "eval gate" in command else ""))
        wanted = int(comment.removeprefix("exit ") or 0)
        assert done.returncode == wanted, (command, done.stdout, done.stderr)
        assert "Warning" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def _status(self, command: str) -> str:
        return self._shell(f"{command} -o /dev/null -w '%{{http_code}}'").stdout

    def _shell(self, command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            shell=True,
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )


def _pattern(line: str) -> str:
    """Any text for `…`, and any number of blanks for those of a table."""
    parts = [r"\s+".join(map(re.escape, part.split())) for part in line.strip().split("…")]
    return r"[^\n]*?".join(parts)


def _found(wanted: re.Pattern[str], told: str) -> str:
    return told if wanted.search(told) else ""


def _documents(up: Up) -> int:
    return sum(int(store["file_counts"]["completed"]) for store in up.get("/v1/vector_stores")["data"])


@pytest.fixture
def walker(tmp_path: Path) -> Iterator[Walker]:
    needed("curl")
    (tmp_path / "evals").mkdir()
    for name in ("handbook.yaml", "gate.yaml"):
        shutil.copy(ROOT / "evals" / name, tmp_path / "evals" / name)
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    place = Place(tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("RAGSTEAD_", "MLFLOW_"))}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "RAGSTEAD_DATA_DIR": str(place.data),
        "HF_HUB_OFFLINE": "1",
        "COLUMNS": "200",
        "NO_PROXY": "127.0.0.1",
    }
    with place.up(place.config("base"), "--mlflow", "--samples", str(ROOT / "samples" / "handbook")) as up:
        soon(lambda: answers(up.mlflow_url()), "MLflow is up", PATIENCE_S)
        soon(lambda: _documents(up) == 25, "all is read", PATIENCE_S)
        yield Walker(tmp_path, up, environment)


def test_walk_from_a_bad_answer_to_a_caught_regression_goes_as_the_page_says(walker: Walker) -> None:
    blocks = BLOCK.findall(PAGE)
    for kind, block in blocks:
        walker.read(kind, block)
    assert walker.said == []
    assert [kind for kind, _ in blocks].count("text") == 11
