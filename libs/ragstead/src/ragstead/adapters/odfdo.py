"""Reads OpenDocument text, sheets and slides by odfdo."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

from odfdo import Document

from ragstead.errors import UnreadableDocument
from ragstead.extraction import TextBuilder, tabulate
from ragstead.model import ExtractedText

if TYPE_CHECKING:
    from odfdo import Element

_DAMAGED = (BadZipFile, ParseError, SyntaxError, KeyError, ValueError, TypeError, AttributeError, OSError, IndexError)
_PASSED_OVER = {"text:tracked-changes", "text:sequence-decls", "office:forms", "text:table-of-content-source"}
_MAX_REPEATS = 100


class OpenDocumentLoader:
    """Reads paragraphs, headings, lists and tables; each sheet of an ODS and each slide of an ODP is a page."""

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the document's text; the title is that of its properties.

        Raises:
            UnreadableDocument: If the file is damaged or encrypted.
        """
        try:
            document = Document(io.BytesIO(data))
            builder = TextBuilder()
            _Walk(builder, paged=document.get_type() in {"spreadsheet", "presentation"}).children(document.body, 0)
            return builder.build(document.meta.title or "")
        except _DAMAGED as exc:
            raise UnreadableDocument(f"{filename}: damaged or encrypted OpenDocument file ({exc})") from exc


class _Walk:
    def __init__(self, builder: TextBuilder, *, paged: bool) -> None:
        self._builder = builder
        self._paged = paged
        self._steps: dict[str, Callable[[Element, int], None]] = {
            "text:h": self._heading,
            "text:p": self._paragraph,
            "text:list": self._list,
            "table:table": self._table,
            "draw:page": self._page,
        }

    def children(self, element: Element, depth: int) -> None:
        for child in element.children:
            if child.tag not in _PASSED_OVER:
                self._steps.get(child.tag, self.children)(child, depth)

    def _heading(self, element: Element, depth: int) -> None:  # noqa: ARG002
        level = element.get_attribute("text:outline-level")
        self._builder.heading(_text(element), int(str(level)) if level else 1)

    def _paragraph(self, element: Element, depth: int) -> None:
        self._builder.paragraph(_text(element))
        for box in element.get_elements("descendant::draw:text-box"):
            self.children(box, depth)

    def _list(self, element: Element, depth: int) -> None:
        for item in element.children:
            for child in item.children:
                if child.tag == "text:list":
                    self._list(child, depth + 1)
                elif child.tag in {"text:p", "text:h"}:
                    self._builder.item(_text(child), depth)
                else:
                    self.children(child, depth)

    def _page(self, element: Element, depth: int) -> None:
        self._builder.page_break()
        self.children(element, depth)

    def _table(self, element: Element, depth: int) -> None:  # noqa: ARG002
        rows = [_cells(row) for row in element.get_elements("descendant::table:table-row")]
        if self._paged:
            self._builder.page_break()
            name = element.get_attribute("table:name")
            if any(any(row) for row in rows):
                self._builder.heading(str(name or ""), 1)
            tabulate(self._builder, rows)
            return
        self._builder.end_block()
        for row in rows:
            self._builder.row(row)


def _cells(row: Element) -> list[str]:
    cells: list[str] = []
    for cell in row.get_elements("table:table-cell"):
        words = " ".join(_text(part) for part in cell.get_elements("descendant::text:p"))
        repeated = cell.get_attribute("table:number-columns-repeated")
        cells += [words] * min(int(str(repeated or 1)), _MAX_REPEATS if words else 1)
    return cells


def _text(element: Element) -> str:
    return str(element.inner_text).strip() or str(element.text_recursive).strip()
