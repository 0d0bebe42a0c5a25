"""Real files of many formats, as their makers left them; run where the evaluation data lies.

RAGSTEAD_EVAL_DATA names its folder; a folder `shared/data` beside the repository is found by itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest

from ragstead.adapters.parser_process import ParseLimits, ProcessParser
from ragstead.errors import UnreadableDocument
from ragstead.model import ExtractedText

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("RAGSTEAD_EVAL_DATA") or ROOT.parent / "shared" / "data")
PACK = DATA / "docpack-dev"
pytestmark = pytest.mark.skipif(not PACK.exists(), reason="RAGSTEAD_EVAL_DATA names no folder with docpack-dev")


def squashed(text: str) -> str:
    return re.sub(r"\W+", "", unicodedata.normalize("NFKC", text).lower())


def manifest() -> list[dict[str, object]]:
    return [json.loads(line) for line in (PACK / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]


@cache
def outcomes() -> dict[str, ExtractedText | str]:
    """Text, or the reason why there is none, by file."""

    async def one(parser: ProcessParser, path: Path) -> tuple[str, ExtractedText | str]:
        try:
            return path.name, await parser.parse(path, path.name)
        except UnreadableDocument as exc:
            return path.name, str(exc)

    async def all_of_them() -> dict[str, ExtractedText | str]:
        async with ProcessParser(ParseLimits(processes=2)) as parser:
            return dict(await asyncio.gather(*(one(parser, path) for path in sorted((PACK / "files").iterdir()))))

    return asyncio.run(all_of_them())


def expecting(kind: str) -> list[dict[str, object]]:
    return [line for line in manifest() if line["expect"] == kind]


def test_files_that_must_be_refused_are_refused_with_a_reason() -> None:
    assert expecting("error")
    for line in expecting("error"):
        reason = outcomes()[str(line["file"])]
        assert isinstance(reason, str)
        assert str(line["file"]) in reason
        assert "parser failed" not in reason


def test_files_without_text_are_blank() -> None:
    for line in expecting("empty") + expecting("empty-or-ocr"):
        found = outcomes()[str(line["file"])]
        assert isinstance(found, ExtractedText)
        assert found.is_blank


def test_phrases_of_all_other_files_are_found() -> None:
    wanted = [(str(line["file"]), str(phrase)) for line in expecting("text") for phrase in line["must_contain"]]  # type: ignore[attr-defined]
    missing = []
    for name, phrase in wanted:
        found = outcomes()[name]
        if not isinstance(found, ExtractedText) or squashed(phrase) not in squashed(found.text):
            missing.append((name, phrase, found if isinstance(found, str) else ""))
    assert len(missing) <= 0.05 * len(wanted), missing


def test_no_file_takes_a_child_down_or_hangs() -> None:
    reasons = [found for found in outcomes().values() if isinstance(found, str)]
    assert not [reason for reason in reasons if re.search("crashed|killed|seconds|parser failed|CPU|memory", reason)]


def test_scripts_of_pages_do_not_leak() -> None:
    found = outcomes()["example-with-scripts.html"]
    assert isinstance(found, ExtractedText)
    assert "function(" not in found.text
