"""Paragraphs, tables, notes and comments of a DOCX, in the order in which they are read."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING
from zipfile import BadZipFile

import docx
from docx.opc.exceptions import OpcError
from docx.oxml import parse_xml
from docx.oxml.exceptions import InvalidXmlError
from docx.oxml.ns import qn

from ragstead.adapters.python_docx.numbering import Numbering
from ragstead.errors import UnreadableDocument
from ragstead.extraction import TextBuilder
from ragstead.model import ExtractedText

if TYPE_CHECKING:
    from docx.document import Document
    from docx.oxml.xmlchemy import BaseOxmlElement

_DAMAGED = (
    OpcError,
    InvalidXmlError,
    BadZipFile,
    SyntaxError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    IndexError,
    OSError,
)
_HEADING = re.compile(r"heading (\d)", re.IGNORECASE)
_VALUE = qn("w:val")
_MATH_TEXT = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_FALLBACK = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"
_BOX = qn("w:txbxContent")
_SKIPPED = {_FALLBACK, _BOX, qn("w:del"), qn("w:moveFrom"), qn("w:pPr"), qn("w:rPr"), qn("w:instrText")}
_MARKS = {qn("w:tab"): "\t", qn("w:br"): "\n", qn("w:cr"): "\n", qn("w:noBreakHyphen"): "-"}
_NOTES = ("/footnotes", "/endnotes", "/header", "/footer", "/comments")
_CONTAINERS = {
    qn("w:sdt"),
    qn("w:sdtContent"),
    qn("w:ins"),
    qn("w:moveTo"),
    qn("w:customXml"),
    qn("w:smartTag"),
    qn("w:footnote"),
    qn("w:endnote"),
    qn("w:comment"),
}


class DocxLoader:
    """Reads headings, paragraphs with their numbers, lists, tables and text boxes.

    Footnotes, headers, footers and comments follow the text, each once.
    """

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the text; the title is the properties', else the paragraph of style Title.

        Raises:
            UnreadableDocument: If the document is damaged.
        """
        try:
            document = docx.Document(io.BytesIO(data))
            walk = _Walk(document)
            walk.blocks(document.element.body)
            for root in _side_parts(document):
                walk.apart(root)
            title = document.core_properties.title or walk.title
        except _DAMAGED as exc:
            raise UnreadableDocument(f"{filename}: damaged Word document ({exc})") from exc
        return walk.builder.build("" if title == "Word Document" else title)


def _side_parts(document: Document) -> Iterator[BaseOxmlElement]:
    for kind in _NOTES:
        for rel in document.part.rels.values():
            if not rel.is_external and rel.reltype.endswith(kind):
                yield parse_xml(rel.target_part.blob)


class _Walk:
    def __init__(self, document: Document) -> None:
        self.builder = TextBuilder()
        self.title = ""
        self._numbering = Numbering(document)
        self._styles = {style.get(qn("w:styleId")): style for style in document.styles.element.style_lst}
        self._apart: set[str] = set()

    def blocks(self, root: BaseOxmlElement) -> None:
        for element in root:
            if element.tag == qn("w:p"):
                self._paragraph(element)
            elif element.tag == qn("w:tbl"):
                self._table(element)
            elif element.tag in _CONTAINERS:
                self.blocks(element)

    def apart(self, root: BaseOxmlElement) -> None:
        """Add the words of a header, footer, note or comment that were not there yet."""
        for paragraph in root.iter(qn("w:p")):
            words = _words(paragraph).strip()
            if words and words not in self._apart:
                self._apart.add(words)
                self.builder.paragraph(words)

    def _paragraph(self, element: BaseOxmlElement) -> None:
        words = _words(element).strip()
        if words:
            self._words(element, words)
        for box in element.iter(_BOX):
            if not any(above.tag == _FALLBACK for above in box.iterancestors()):
                self.blocks(box)

    def _words(self, element: BaseOxmlElement, words: str) -> None:
        mark, depth = self._mark(element)
        level = self._heading_level(element)
        if level is not None:
            if not self.title and level == 0:
                self.title = words
            self.builder.heading(f"{mark} {words}" if mark and mark != "-" else words, max(1, level))
        elif mark:
            self.builder.item(words, depth, mark)
        else:
            self.builder.paragraph(words)

    def _ancestry(self, element: BaseOxmlElement) -> Iterator[BaseOxmlElement]:
        """Yield the paragraph's style and the styles it is based on."""
        named = element.find(f"{qn('w:pPr')}/{qn('w:pStyle')}")
        style_id = None if named is None else named.get(_VALUE)
        for _ in range(10):
            style = self._styles.get(style_id)
            if style is None:
                return
            yield style
            based = style.find(qn("w:basedOn"))
            style_id = None if based is None else based.get(_VALUE)

    def _heading_level(self, element: BaseOxmlElement) -> int | None:
        """Level from 1 for headings, 0 for the document's title, None for the rest."""
        outline = element.find(f"{qn('w:pPr')}/{qn('w:outlineLvl')}")
        if outline is not None and outline.get(_VALUE, "9") in set("012345678"):
            return int(outline.get(_VALUE)) + 1
        for style in self._ancestry(element):
            named = style.find(qn("w:name"))
            name = "" if named is None else named.get(_VALUE, "")
            if name.lower() == "title":
                return 0
            if found := _HEADING.match(name):
                return int(found.group(1))
        return None

    def _mark(self, element: BaseOxmlElement) -> tuple[str | None, int]:
        sources = [element.find(qn("w:pPr")), *(style.find(qn("w:pPr")) for style in self._ancestry(element))]
        num_id = level = None
        for source in sources:
            rule = None if source is None else source.find(qn("w:numPr"))
            if rule is None:
                continue
            found_id, found_level = rule.find(qn("w:numId")), rule.find(qn("w:ilvl"))
            if num_id is None and found_id is not None:
                num_id = found_id.get(_VALUE)
            if level is None and found_level is not None:
                level = int(found_level.get(_VALUE, 0))
        if num_id is None or num_id == "0":
            return None, 0
        return self._numbering.next(num_id, level or 0), level or 0

    def _table(self, table: BaseOxmlElement) -> None:
        self.builder.end_block()
        for row in table.iter(qn("w:tr")):
            if _enclosing_table(row) is table:
                self.builder.row([self._cell(cell) for cell in row.iter(qn("w:tc")) if _enclosing_row(cell) is row])
                for nested in row.iter(qn("w:tbl")):
                    if _enclosing_table(nested) is table:
                        self._table(nested)
        self.builder.end_block()

    def _cell(self, cell: BaseOxmlElement) -> str:
        words = []
        for paragraph in cell.iter(qn("w:p")):
            if _enclosing_row(paragraph) is _enclosing_row(cell):
                mark, _ = self._mark(paragraph)
                text = _words(paragraph).strip()
                words.append(f"{mark} {text}" if mark and text else text)
        return " ".join(word for word in words if word)


def _enclosing_table(element: BaseOxmlElement) -> BaseOxmlElement | None:
    return next(element.iterancestors(qn("w:tbl")), None)


def _enclosing_row(element: BaseOxmlElement) -> BaseOxmlElement | None:
    return next(element.iterancestors(qn("w:tr")), None)


def _words(element: BaseOxmlElement) -> str:
    """The words of a paragraph without those of text boxes in it, which are blocks of their own."""
    found: list[str] = []
    todo = list(reversed(element))
    while todo:
        node = todo.pop()
        if node.tag in _SKIPPED:
            continue
        if node.tag in {qn("w:t"), _MATH_TEXT}:
            found.append(node.text or "")
        elif node.tag in _MARKS:
            found.append(_MARKS[node.tag])
        else:
            todo.extend(reversed(node))
    return "".join(found)
