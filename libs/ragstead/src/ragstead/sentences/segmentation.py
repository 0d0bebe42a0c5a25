"""Cuts a text into the units an answer may quote: sentences, list items, headings, table rows, code blocks.

Rule-based, one pass, no model. Every unit is a slice of the text given, so a quote is always verbatim:
``text[unit.start:unit.end]``. Offsets are Unicode code points, half-open.

What it does not know: scripts that separate neither words nor sentences (Thai, Khmer) come out as pieces cut at
the caps; a single capital before a full stop ("vitamin C. The ...") is read as an initial.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from ragstead.errors import InvalidRequest
from ragstead.sentences.clauses import MAX_WORDS, cut_long
from ragstead.sentences.fullstops import sentence_ends

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+\u2022\u25e6\u2023\u2043]|\(?\d{1,3}[.)]|\(?[a-zA-Z][)])[ \t]+")
_TABLE_ROW = re.compile(r"[ \t]*\|.*\|[ \t]*$")
_DIRECTIVE = re.compile(r"[ \t]*(?:/{3,}|:{3,}|\{[*%#]|<!--|</?[a-zA-Z][^<>]*>[ \t]*$)")
_SHORT_LINE = 50
_CLOSERS = "\"')]}\u201d\u2019\u00bb*_`"


class UnitKind(Enum):
    """What a unit is in the document; code, rows and markup are never joined with prose."""

    PROSE = "prose"
    LIST_ITEM = "list_item"
    HEADING = "heading"
    TABLE_ROW = "table_row"
    CODE = "code"
    MARKUP = "markup"


@dataclass(frozen=True, slots=True)
class Unit:
    """One quotable slice of a text: never blank, no white space at either end."""

    start: int
    end: int
    kind: UnitKind


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    end: int
    text: str

    @property
    def blank(self) -> bool:
        return not self.text.strip()


def segment(text: str, *, max_words: int = MAX_WORDS) -> list[Unit]:
    """Cut `text` into units: disjoint, in order, together covering every non-space character.

    A fenced code block, a table row and a heading are units of their own. Prose and list items are cut into
    sentences, and a sentence of more than `max_words` words is cut again at clause boundaries.

    Args:
        text: Any text; Markdown structure is recognised by line, plain text is one case of it.
        max_words: Cap on the words of a prose unit; scripts without spaces are capped by characters instead.

    Returns:
        Units in the order of the text; empty for a blank text.

    Raises:
        InvalidRequest: If `max_words` is below 8.
    """
    if max_words < 8:
        raise InvalidRequest(f"max_words is {max_words}, must be at least 8")
    units: list[Unit] = []
    for start, end, kind in _blocks(text):
        if kind in (UnitKind.PROSE, UnitKind.LIST_ITEM):
            units.extend(_sentences(text, start, end, kind, max_words))
        else:
            units.extend(_trimmed(text, start, end, kind))
    return units


def spans(text: str) -> list[tuple[int, int]]:
    """Return the units of `text` as (start, end)."""
    return [(unit.start, unit.end) for unit in segment(text)]


def _lines(text: str) -> Iterator[_Line]:
    start = 0
    for raw in text.splitlines(keepends=True):
        yield _Line(start, start + len(raw), raw)
        start += len(raw)


def _blocks(text: str) -> Iterator[tuple[int, int, UnitKind]]:
    """Yield runs of lines that belong together, as (start, end, kind)."""
    fence = ""
    open_start, open_end, open_kind = 0, 0, None
    previous = ""
    for line in _lines(text):
        if fence:
            open_end = line.end
            if _closes(line.text, fence):
                yield open_start, open_end, UnitKind.CODE
                fence, open_kind = "", None
            continue
        opening = _FENCE.match(line.text)
        kind = None if line.blank else UnitKind.CODE if opening else _kind_of(line.text)
        joins = kind is UnitKind.PROSE and open_kind is not None and not _breaks(previous, line.text)
        if open_kind is not None and not joins:
            yield open_start, open_end, open_kind
        if not joins:
            open_start, open_kind = line.start, kind
        open_end, previous = line.end, line.text
        if opening:
            fence = opening.group(1)
        elif kind not in (None, UnitKind.PROSE, UnitKind.LIST_ITEM) and open_kind is not None:
            yield open_start, open_end, open_kind
            open_kind = None
    if open_kind is not None:
        yield open_start, open_end, open_kind


def _closes(line: str, fence: str) -> bool:
    stripped = line.strip()
    return len(stripped) >= len(fence) and not stripped.strip(fence[0])


def _kind_of(line: str) -> UnitKind:
    body = line.rstrip()
    if _TABLE_ROW.match(body):
        return UnitKind.MARKUP if not body.strip(" \t|:-=+") else UnitKind.TABLE_ROW
    if _HEADING.match(body):
        return UnitKind.HEADING
    if not body.strip(" \t-*_=+|:~") or _DIRECTIVE.match(body):
        return UnitKind.MARKUP
    return UnitKind.LIST_ITEM if _LIST_ITEM.match(body) else UnitKind.PROSE


def _breaks(previous: str, line: str) -> bool:
    """Whether a new unit starts at a line break in prose: a short unpunctuated line before a capital is a title."""
    before = previous.strip()
    if len(before) >= _SHORT_LINE or before.rstrip(_CLOSERS).endswith((",", ";", "-", "\u2013", "\u2014")):
        return False
    return line.lstrip()[:1].isupper()


def _sentences(text: str, start: int, end: int, kind: UnitKind, max_words: int) -> Iterator[Unit]:
    for at, until in sentence_ends(text, start, end):
        for low, high in cut_long(text, at, until, max_words=max_words):
            yield from _trimmed(text, low, high, kind)


def _trimmed(text: str, start: int, end: int, kind: UnitKind) -> Iterator[Unit]:
    body = text[start:end]
    left = len(body) - len(body.lstrip())
    if left < len(body):
        yield Unit(start + left, start + len(body.rstrip()), kind)
