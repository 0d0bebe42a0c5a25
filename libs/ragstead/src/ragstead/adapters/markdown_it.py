"""Reads Markdown by markdown-it-py."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ragstead.extraction import Decode, TextBuilder
from ragstead.model import ExtractedText

_FRONT_MATTER = re.compile(r"\A\s*(---|\+\+\+)[ \t]*\n(.*?\n)\1[ \t]*(?:\n|\Z)", re.DOTALL)
_TITLE = re.compile(r"^title\s*[:=]\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)
_ATTRIBUTES = re.compile(r"\s*\{\s*[#.:][^{}]*\}\s*$")
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")


class MarkdownLoader:
    """Reads what a rendered page shows: link texts without their targets, code within its fences, tables as rows.

    Args:
        decode: Bytes to characters.
        read_html: Reads blocks of HTML within the Markdown.
    """

    def __init__(self, decode: Decode, read_html: Callable[[bytes, str], ExtractedText]) -> None:
        self._decode = decode
        self._read_html = read_html
        self._parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    def load(self, data: bytes, filename: str) -> ExtractedText:  # noqa: ARG002
        """Return the text; the title is the front matter's, else the first heading of level 1. Never fails."""
        source = self._decode(data, None).replace("\r\n", "\n").replace("\r", "\n")
        front = _FRONT_MATTER.match(source)
        title = ""
        if front:
            source = source[front.end() :]
            named = _TITLE.search(front.group(2))
            title = named.group(1).strip("\"'") if named else ""
        walk = _Walk(self._read_html)
        walk.tokens(self._parser.parse(source))
        built = walk.builder.build(title)
        first = next((heading.title for heading in built.headings if heading.level == 1), "")
        return built if built.title or not first else walk.builder.build(first)


class _Walk:
    def __init__(self, read_html: Callable[[bytes, str], ExtractedText]) -> None:
        self.builder = TextBuilder()
        self._read_html = read_html
        self._lists: list[int | None] = []
        self._marker: str | None = None
        self._cells: list[str] | None = None
        self._heading = 0

    def tokens(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            if token.type == "inline":
                self._inline(token)
            elif token.type in {"fence", "code_block"}:
                self.builder.code(token.content, token.info.strip())
            elif token.type == "html_block":
                self._html(token.content)
            else:
                self._structure(token)

    def _structure(self, token: Token) -> None:
        match token.type:
            case "heading_open":
                self._heading = int(token.tag[1])
            case "heading_close":
                self._heading = 0
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                self._lists.append(int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
            case "list_item_open":
                self._begin_item()
            case "tr_open":
                self._cells = []
            case "tr_close":
                self.builder.row(self._cells or [])
                self._cells = None
            case "table_open" | "table_close":
                self.builder.end_block()

    def _begin_item(self) -> None:
        number = self._lists[-1]
        self._marker = "-" if number is None else f"{number}."
        if number is not None:
            self._lists[-1] = number + 1

    def _inline(self, token: Token) -> None:
        words = _render(token.children or [])
        if self._cells is not None:
            self._cells.append(words)
        elif self._heading:
            self.builder.heading(_ATTRIBUTES.sub("", words), self._heading)
        elif self._lists and self._marker:
            self.builder.item(words, len(self._lists) - 1, self._marker)
            self._marker = None
        else:
            self.builder.paragraph(words)

    def _html(self, markup: str) -> None:
        markup = _COMMENT.sub("", markup)
        if markup.strip():
            self.builder.embed(self._read_html(markup.encode(), "block.html"))


def _render(tokens: Sequence[Token]) -> str:
    words: list[str] = []
    for token in tokens:
        if token.type in {"text", "code_inline"}:
            words.append(token.content)
        elif token.type in {"softbreak", "hardbreak"}:
            words.append("\n")
        elif token.type == "image":
            words.append(token.content)
        elif token.type == "html_inline" and token.content.lower().startswith("<br"):
            words.append("\n")
        elif token.type == "html_inline" and not _TAG.fullmatch(token.content) and "<!--" not in token.content:
            words.append(token.content)
    return "".join(words)
