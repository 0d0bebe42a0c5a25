"""Rows of a sheet to lines of text that each can be understood without the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice

from ragstead.extraction.builder import TextBuilder

_HEADER_CHARS = 400
_LEADING_ROWS = 20


def tabulate(builder: TextBuilder, rows: Iterable[Sequence[str]]) -> None:
    """Add a table: `name: value | name: value` for each row under its columns' names, which come first as a row.

    Rows of a single cell before the names are titles. Where the first full row is no list of names (numbers, or one of
    them twice), or the names are long, rows are written without them.
    """
    filled = (row for row in ([cell.strip() for cell in row] for row in rows) if any(row))
    leading = list(islice(filled, _LEADING_ROWS))
    width = max((_width(row) for row in leading), default=0)
    while leading and width > 1 and sum(map(bool, leading[0])) == 1:
        builder.paragraph(" ".join(leading.pop(0)).strip())
    names = leading[0] if leading and _is_header(leading) else []
    if names:
        builder.row(names)
        leading = leading[1:]
    for row in chain(leading, filled):
        builder.row(list(_labelled(names, row)) if names else row)
    builder.end_block()


def _width(row: Sequence[str]) -> int:
    return max((i + 1 for i, cell in enumerate(row) if cell), default=0)


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    names = [name for name in rows[0] if name]
    return (
        len(rows) > 1
        and len(names) > 1
        and len(set(names)) == len(names)
        and len(names) >= 0.5 * max(map(_width, rows))
        and sum(map(len, names)) <= _HEADER_CHARS
        and all(any(character.isalpha() for character in name) for name in names)
    )


def _labelled(names: Sequence[str], row: Sequence[str]) -> Iterator[str]:
    for i, cell in enumerate(row):
        if cell:
            name = names[i] if i < len(names) else ""
            yield f"{name}: {cell}" if name and name != cell else cell
