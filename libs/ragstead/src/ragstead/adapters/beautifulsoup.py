"""Reads HTML by Beautiful Soup on lxml."""

from __future__ import annotations

import re
import warnings

from bs4 import BeautifulSoup, MarkupResemblesLocatorWarning, XMLParsedAsHTMLWarning
from bs4.element import CData, NavigableString, PageElement, Tag

from ragstead.extraction import Decode, TextBuilder
from ragstead.model import ExtractedText

_CHARSET = re.compile(rb"""<(?:meta|\?xml)[^>]{0,200}?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_UNSEEN = {
    "script",
    "style",
    "noscript",
    "template",
    "head",
    "iframe",
    "object",
    "canvas",
    "svg",
    "audio",
    "video",
    "datalist",
    "colgroup",
}
_INLINE = {
    "a",
    "abbr",
    "acronym",
    "b",
    "bdi",
    "bdo",
    "big",
    "cite",
    "code",
    "data",
    "del",
    "dfn",
    "em",
    "font",
    "i",
    "ins",
    "kbd",
    "label",
    "mark",
    "q",
    "ruby",
    "rb",
    "rp",
    "rt",
    "s",
    "samp",
    "small",
    "span",
    "strike",
    "strong",
    "sub",
    "sup",
    "time",
    "tt",
    "u",
    "var",
    "wbr",
    "math",
    "nobr",
    "img",
    "button",
    "input",
}
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_LAYOUT = ["table", "p", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "ul", "ol"]
_LAYOUT_CHARS = 600


class HtmlLoader:
    """Reads what a page shows: headings, paragraphs, lists, code and tables; nothing visible is left out."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def load(self, data: bytes, filename: str) -> ExtractedText:  # noqa: ARG002
        """Return the page's text; the title is that of its head, else its first heading. Never fails."""
        declared = _CHARSET.search(data[:4096])
        markup = self._decode(data, declared.group(1).decode("ascii", "replace") if declared else None)
        markup = _XML_DECLARATION.sub("", markup.replace("\0", ""))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MarkupResemblesLocatorWarning)
            warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
            page = BeautifulSoup(markup, "lxml")
        walk = _Walk()
        title = " ".join(page.title.get_text().split()) if page.title else ""
        if title and title not in " ".join(page.get_text().split()).replace(title, "", 1):
            walk.builder.heading(title, 1)
        walk.block(page, 0)
        walk.flush()
        built = walk.builder.build(title)
        if built.title or not built.headings:
            return built
        return walk.builder.build(built.headings[0].title)


class _Walk:
    def __init__(self) -> None:
        self.builder = TextBuilder()
        self._inline: list[str] = []
        self._alternatives: list[str] = []

    def flush(self) -> None:
        """End the paragraph; one that shows nothing but pictures is told by their alternative texts."""
        words = "".join(self._inline)
        self._inline.clear()
        text = "\n".join(" ".join(line.split()) for line in words.split("\v"))
        self.builder.paragraph(text if text.strip() else "\n".join(self._alternatives))
        self._alternatives.clear()

    def block(self, tag: Tag, depth: int) -> None:
        for child in tag.children:
            self._node(child, depth)

    def _node(self, node: PageElement, depth: int) -> None:
        if isinstance(node, NavigableString):
            if type(node) in {NavigableString, CData}:
                self._inline.append(str(node))
        elif isinstance(node, Tag) and node.name not in _UNSEEN and not node.has_attr("hidden"):
            self._tag(node, depth)

    def _tag(self, tag: Tag, depth: int) -> None:
        if tag.name == "br":
            self._inline.append("\v")
        elif tag.name == "img":
            self._alternatives.append(str(tag.get("alt") or ""))
        elif tag.name in _INLINE and not tag.find(_LAYOUT):
            self.block(tag, depth)
        else:
            self.flush()
            self._block_tag(tag, depth)
            self.flush()

    def _block_tag(self, tag: Tag, depth: int) -> None:
        if tag.name in _HEADINGS:
            self.builder.heading(_inline_text(tag), _HEADINGS[tag.name])
        elif tag.name == "pre":
            self.builder.code(tag.get_text())
        elif tag.name == "table":
            self._table(tag, depth)
        elif tag.name in {"ul", "ol", "menu"}:
            self._list(tag, depth)
        else:
            self.block(tag, depth)

    def _list(self, tag: Tag, depth: int) -> None:
        number = 0
        for child in tag.children:
            if isinstance(child, Tag) and child.name == "li":
                number += 1
                self._item(child, depth, f"{number}." if tag.name == "ol" else "-")
            elif isinstance(child, Tag) and child.name in {"ul", "ol"}:
                self._list(child, depth + 1)
            else:
                self._node(child, depth)
        self.flush()

    def _item(self, item: Tag, depth: int, marker: str) -> None:
        """Inline words first, as the item's line; what is set as a block follows it."""
        own: list[str] = []
        blocks: list[PageElement] = []
        for child in item.children:
            simple = isinstance(child, Tag) and (child.name in _INLINE or child.name in {"p", "div", "br"})
            if not blocks and (not isinstance(child, Tag) or (simple and not child.find([*_LAYOUT, "div", "table"]))):
                own.append(_inline_text(child) if isinstance(child, Tag) else _plain(child))
                own.append(" " if isinstance(child, Tag) and child.name not in _INLINE else "")
            else:
                blocks.append(child)
        self.builder.item("".join(own), depth, marker)
        for child in blocks:
            self._node(child, depth + 1)
        self.flush()

    def _table(self, table: Tag, depth: int) -> None:
        self.builder.end_block()
        caption = table.find("caption", recursive=False)
        if isinstance(caption, Tag):
            self.builder.paragraph(_inline_text(caption))
        self._rows(table, depth)
        self.builder.end_block()

    def _rows(self, part: Tag, depth: int) -> None:
        """Rows, and what markup that is off has put between them."""
        for child in part.children:
            if isinstance(child, Tag) and child.name == "tr":
                self._row(child, depth)
            elif isinstance(child, Tag) and child.name in {"thead", "tbody", "tfoot"}:
                self._rows(child, depth)
            elif not isinstance(child, Tag) or child.name != "caption":
                self._node(child, depth)
                self.flush()

    def _row(self, row: Tag, depth: int) -> None:
        cells = [cell for cell in row.children if isinstance(cell, Tag) and cell.name in {"td", "th"}]
        if any(_is_layout(cell) for cell in cells):
            for cell in cells:
                self.block(cell, depth)
                self.flush()
        else:
            self.builder.row([_inline_text(cell) for cell in cells])
        for child in row.children:
            if child not in cells:
                self._node(child, depth)
        self.flush()


def _is_layout(cell: Tag) -> bool:
    if cell.find(["table", "h1", "h2", "h3", "h4", "h5", "h6", "pre"]):
        return True
    return bool(cell.find(_LAYOUT)) and len(cell.get_text()) > _LAYOUT_CHARS


def _plain(node: PageElement) -> str:
    return str(node) if type(node) in {NavigableString, CData} else ""


def _inline_text(tag: Tag) -> str:
    """The words under a tag on one line; blocks are kept apart by a space, inline tags are not."""
    words: list[str] = []
    for node in tag.descendants:
        if isinstance(node, Tag):
            if node.name not in _INLINE:
                words.append(" ")
        elif node.parent is not None and node.parent.name not in _UNSEEN:
            words.append(_plain(node))
            if node.parent.name not in _INLINE and node.next_sibling is None:
                words.append(" ")
    return "".join(words)
