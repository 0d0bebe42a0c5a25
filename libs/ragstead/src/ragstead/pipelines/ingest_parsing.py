"""The first half of a version's way in: its bytes become a text, and the text chunks."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ragstead.errors import Forbidden, IndexMismatch, InvalidRequest, UnreadableDocument
from ragstead.model import ExtractedText
from ragstead.pipelines.ingest_parts import IngestParts
from ragstead.ports.ledger import Parsed, Work

Outcome = Parsed | str
"""What a version was made into, or why it can't be."""

_OF_ONE_DOCUMENT = (UnreadableDocument, InvalidRequest, IndexMismatch, Forbidden)
_TEXTS_A_TURN = 16
"""Plain texts that are read and cut as one piece of work: the way to a thread and back takes as long as a text."""
_CHUNKS_A_TURN = 128
"""Chunks that are looked at for injections as one piece of work."""


class Parsing:
    """Makes texts and chunks of versions.

    Args:
        parts: What it works with.
    """

    def __init__(self, parts: IngestParts) -> None:
        self._parts = parts

    async def read(self, works: Sequence[Work]) -> tuple[list[Parsed], dict[int, str]]:
        """Return what could be read, in the order given, and for each of the others the reason by its version key.

        Raises:
            Unavailable: If a part is down.
        """
        texts = [work for work in works if work.plain_text]
        turns = [texts[i : i + _TEXTS_A_TURN] for i in range(0, len(texts), _TEXTS_A_TURN)]
        outcomes = await asyncio.gather(
            *(self._texts(turn) for turn in turns), *(self._file(work) for work in works if not work.plain_text)
        )
        by_key: dict[int, Outcome] = {key: outcome for some in outcomes for key, outcome in some.items()}
        ordered = [(work.version_key, by_key[work.version_key]) for work in works]
        failed = {key: outcome for key, outcome in ordered if isinstance(outcome, str)}
        return await self._marked([outcome for _, outcome in ordered if isinstance(outcome, Parsed)]), failed

    async def _texts(self, turn: Sequence[Work]) -> Mapping[int, Outcome]:
        paths = [self._parts.blobs.path(work.sha256) for work in turn]
        return await self._parts.pool.run(lambda: dict(self._read(turn, paths)))

    def _read(self, turn: Sequence[Work], paths: Sequence[Path]) -> Iterable[tuple[int, Outcome]]:
        for work, path in zip(turn, paths, strict=True):
            try:
                self._parts.admit(work)
                yield work.version_key, self._cut(work, ExtractedText(_text(path), work.title))
            except _OF_ONE_DOCUMENT as exc:
                yield work.version_key, _reason(exc)

    async def _file(self, work: Work) -> Mapping[int, Outcome]:
        try:
            self._parts.admit(work)
            extracted = await self._parts.parser.parse(self._parts.blobs.path(work.sha256), work.filename)
            return {work.version_key: await self._parts.pool.run(lambda: self._cut(work, extracted))}
        except _OF_ONE_DOCUMENT as exc:
            return {work.version_key: _reason(exc)}

    def _cut(self, work: Work, extracted: ExtractedText) -> Parsed:
        titled = ExtractedText(extracted.text, work.title or extracted.title, extracted.headings, extracted.page_starts)
        title, chunks = self._parts.chunker(titled)
        return Parsed(work.version_key, titled, title, chunks)

    async def _marked(self, parsed: Sequence[Parsed]) -> list[Parsed]:
        look = self._parts.marks
        if look is None:
            return list(parsed)
        texts = [chunk.text for one in parsed for chunk in one.chunks]
        marks: list[float] = []
        for start in range(0, len(texts), _CHUNKS_A_TURN):
            marks += await look(texts[start : start + _CHUNKS_A_TURN])
        left = iter(marks)
        return [replace(one, chunks=[replace(chunk, injection=next(left)) for chunk in one.chunks]) for one in parsed]


def _reason(error: Exception) -> str:
    return str(error) or "it can't be read"


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8", errors="replace")
