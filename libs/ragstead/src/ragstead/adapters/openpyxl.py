"""Reads XLSX by openpyxl."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterator
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from ragstead.errors import UnreadableDocument
from ragstead.extraction import TextBuilder, tabulate
from ragstead.model import ExtractedText

_DAMAGED = (
    BadZipFile,
    InvalidFileException,
    ParseError,
    SyntaxError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
)


class XlsxLoader:
    """Reads each visible sheet as a page under its name; formulas stand for the values last computed.

    Args:
        max_cells: How many filled cells a workbook may hold.
    """

    def __init__(self, max_cells: int = 2_000_000) -> None:
        self._max_cells = max_cells

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return a line for each row.

        Raises:
            UnreadableDocument: If the workbook is damaged or holds too many cells.
        """
        builder = TextBuilder()
        try:
            workbook = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            cells = 0
            for sheet in workbook.worksheets:
                builder.page_break()
                sheet.reset_dimensions()
                rows = _rows(sheet.iter_rows(values_only=True))
                first = next(rows, None)
                if first is None:
                    continue
                builder.heading(sheet.title, 1)
                cells += self._sheet(builder, first, rows, cells, filename)
            title = workbook.properties.title or ""
        except _DAMAGED as exc:
            raise UnreadableDocument(f"{filename}: damaged workbook ({exc})") from exc
        return builder.build(title)

    def _sheet(
        self, builder: TextBuilder, first: list[str], rows: Iterator[list[str]], before: int, filename: str
    ) -> int:
        count = 0

        def counted() -> Iterator[list[str]]:
            nonlocal count
            yield first
            for row in rows:
                count += sum(map(bool, row))
                if before + count > self._max_cells:
                    raise UnreadableDocument(f"{filename}: more than {self._max_cells} filled cells; split it")
                yield row

        tabulate(builder, counted())
        return count


def _rows(rows: Iterator[tuple[object, ...]]) -> Iterator[list[str]]:
    for row in rows:
        words = [_word(value) for value in row]
        if any(words):
            yield words


def _word(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, dt.datetime) and value.time() == dt.time():
        return value.date().isoformat()
    return str(value)
