"""Comparisons as lines of a file that is bounded."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ragstead.adapters.json_lines import JsonLinesShadowLog
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import Unavailable
from ragstead.ports.shadow_log import Comparison, Written


def comparison(question: str) -> Comparison:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    return Comparison(at, "split", question, ("a:1:0",), Written("a", "yes", 0.5), Written("b", "no", 0.25, error="x"))


def add(path: Path, *questions: str, max_bytes: int = 1 << 20) -> None:
    pool = ThreadWorkPool(1)

    async def run() -> None:
        log = JsonLinesShadowLog(path, max_bytes, pool)
        await asyncio.gather(*(log.add(comparison(question)) for question in questions))

    try:
        asyncio.run(run())
    finally:
        pool.close()


def questions(path: Path) -> list[str]:
    return [json.loads(line)["question"] for line in path.read_text("ascii").splitlines()]


def test_line_has_both_answers_and_is_the_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    add(path, "où?\ud800\n\0")
    (line,) = path.read_text().splitlines()
    record = json.loads(line)
    assert (record["question"], record["at"]) == ("où?\ud800\n\0", "2026-11-21T12:00:00.000+00:00")
    assert (record["answer"]["text"], record["shadow"]["error"], record["chunk_ids"]) == ("yes", "x", ["a:1:0"])
    assert path.stat().st_mode & 0o777 == 0o600


def test_full_file_makes_room_and_the_newest_stay(tmp_path: Path) -> None:
    path = tmp_path / "shadow.jsonl"
    asked = [f"question {i}" for i in range(40)]
    add(path, *asked, max_bytes=4096)
    older = tmp_path / "shadow.jsonl.1"
    kept = questions(older) + questions(path)
    assert kept == asked[-len(kept) :]
    assert max(path.stat().st_size, older.stat().st_size) <= 4096


def test_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="can't write"):
        add(tmp_path / "none" / "shadow.jsonl", "when?")
