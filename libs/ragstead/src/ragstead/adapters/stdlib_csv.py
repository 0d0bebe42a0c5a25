"""Reads comma-, semicolon- and tab-separated values with the standard library."""

from __future__ import annotations

import csv
from collections import Counter
from itertools import islice

from ragstead.errors import UnreadableDocument
from ragstead.extraction import Decode, TextBuilder, tabulate
from ragstead.model import ExtractedText

_DELIMITERS = ",;\t|"
_SAMPLE_LINES = 50
_FIELD_CHARS = 1 << 24


class DelimitedLoader:
    """Reads delimited values, whose delimiter is told by what cuts the first lines into equally many fields."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return a line for each row, each value under its column's name where the first row holds names.

        Raises:
            UnreadableDocument: If a field has more than 16 million characters.
        """
        text = self._decode(data, None).replace("\0", "")
        lines = text.splitlines(keepends=True)
        csv.field_size_limit(_FIELD_CHARS)
        builder = TextBuilder()
        try:
            delimiter = "\t" if filename.lower().endswith(".tsv") else _delimiter(lines[:_SAMPLE_LINES])
            tabulate(builder, csv.reader(lines, delimiter=delimiter))
        except csv.Error as exc:
            raise UnreadableDocument(f"{filename}: no table can be made of it ({exc})") from exc
        return builder.build()


def _delimiter(lines: list[str]) -> str:
    best, best_score = ",", 0.0
    for delimiter in _DELIMITERS:
        widths = Counter(len(row) for row in islice(csv.reader(lines, delimiter=delimiter), _SAMPLE_LINES) if row)
        if not widths:
            continue
        width, rows = max(widths.items(), key=lambda item: (item[1] * (item[0] > 1), item[0]))
        score = rows / widths.total() if width > 1 else 0.0
        if score > best_score:
            best, best_score = delimiter, score
    return best
