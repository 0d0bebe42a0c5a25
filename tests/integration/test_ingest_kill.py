"""`kill -9` in each state and at random moments: the collection ends as if nothing had happened."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

CHILD = Path(__file__).with_name("ingest_child.py")
WORDS = ["rosemary", "press", "valley", "harvest", "ripen", "oldest", "bottle", "amber", "cellar", "frost", "cask"]


def child(data_dir: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(CHILD), str(data_dir), *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(data_dir: Path, *words: str) -> None:
    process = child(data_dir, *words)
    assert process.wait(timeout=120) == 0
    assert process.stdout is not None
    process.stdout.close()


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait(timeout=30)
    assert process.stdout is not None
    process.stdout.close()


def opened(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    return process


def write_documents(folder: Path, n: int, seed: int) -> Path:
    folder.mkdir()
    draw = random.Random(seed)
    for i in range(n):
        paragraphs = [
            " ".join(draw.choices(WORDS, k=40)) + f". Lot {i} ripens {draw.randint(3, 90)} days." for _ in range(12)
        ]
        (folder / f"d{i:02d}.md").write_text(f"# Lot {i}\n\n" + "\n\n".join(paragraphs), "utf-8")
    return folder


def finish_and_look(data_dir: Path, *words: str) -> dict[str, Any]:
    file = data_dir.with_suffix(".json")
    finish(data_dir, *words, "settle", "snapshot", str(file))
    state: dict[str, Any] = json.loads(file.read_text("utf-8"))
    return state


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for part in ("documents", "vector_keys", "bm25_keys", "chunks", "blobs"):
        assert found[part] == expected[part], part
    for query, hits in expected["hits"].items():
        ours = dict(map(tuple, found["hits"][query]))
        assert ours.keys() == {chunk_id for chunk_id, _ in hits}
        for chunk_id, cosine in hits:
            assert ours[chunk_id] == pytest.approx(cosine, abs=1e-5)


def seen(data_dir: Path, query: str) -> bool:
    try:
        with closing(sqlite3.connect(f"file:{data_dir / 'metadata.db'}?mode=ro", uri=True, timeout=1)) as database:
            return database.execute(query).fetchone() is not None
    except sqlite3.OperationalError:
        return False  # not made yet


def kill_when(process: subprocess.Popen[str], condition: Callable[[], bool]) -> bool:
    """Kill as soon as the condition holds; False where the process ended first."""
    while process.poll() is None:
        if condition():
            kill(process)
            return True
        time.sleep(0.0005)
    kill(process)
    return False


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("input") / "documents", 24, seed=1)


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_documents(tmp_path_factory.mktemp("input") / "replaced", 24, seed=2)


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, documents: Path) -> tuple[Path, dict[str, Any]]:
    """A store that was never killed, closed, and what it holds."""
    data_dir = tmp_path_factory.mktemp("calm") / "store"
    return data_dir, finish_and_look(data_dir, "put", str(documents))


@pytest.fixture(scope="module")
def calmly_replaced(
    tmp_path_factory: pytest.TempPathFactory, calm: tuple[Path, dict[str, Any]], replaced: Path
) -> dict[str, Any]:
    data_dir = tmp_path_factory.mktemp("calm") / "store"
    shutil.copytree(calm[0], data_dir)
    return finish_and_look(data_dir, "put", str(replaced), "settle", "delete", "d03.md")


@pytest.mark.parametrize("state", ["queued", "parsing", "embedding", "indexing", "indexed"])
def test_killed_in_a_state_of_ingestion_ends_as_never_killed(
    state: str, tmp_path: Path, documents: Path, calm: tuple[Path, dict[str, Any]]
) -> None:
    data_dir = tmp_path / "store"
    process = child(data_dir, "put", str(documents), "settle")
    assert kill_when(process, lambda: seen(data_dir, f"SELECT 1 FROM versions WHERE state = '{state}'"))
    assert_same(finish_and_look(data_dir, "put", str(documents)), calm[1])


def test_killed_at_random_moments_of_ingestion_ends_as_never_killed(
    tmp_path: Path, documents: Path, calm: tuple[Path, dict[str, Any]]
) -> None:
    data_dir, draw = tmp_path / "store", random.Random(7)
    for _ in range(20):
        process = opened(child(data_dir, "put", str(documents), "settle"))
        time.sleep(draw.uniform(0, 0.6))
        kill(process)
    assert_same(finish_and_look(data_dir, "put", str(documents)), calm[1])


@pytest.mark.parametrize(
    "moment", ["dead = 1", "key > 24", *(f"key > 24 AND state = '{s}'" for s in ("parsing", "embedding", "indexing"))]
)
def test_killed_in_a_replacement_and_a_delete_ends_as_never_killed(
    moment: str,
    tmp_path: Path,
    replaced: Path,
    calm: tuple[Path, dict[str, Any]],
    calmly_replaced: dict[str, Any],
) -> None:
    data_dir = tmp_path / "store"
    shutil.copytree(calm[0], data_dir)
    process = opened(child(data_dir, "put", str(replaced), "settle"))
    assert kill_when(process, lambda: seen(data_dir, f"SELECT 1 FROM versions WHERE {moment}"))
    process = opened(child(data_dir, "put", str(replaced), "settle", "delete", "d03.md", "settle"))
    assert kill_when(process, lambda: seen(data_dir, "SELECT 1 FROM documents WHERE state = 'deleting'"))
    assert_same(finish_and_look(data_dir), calmly_replaced)
