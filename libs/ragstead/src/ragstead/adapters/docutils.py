"""Reads reStructuredText by docutils, which may insert no file and run nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

from docutils import nodes
from docutils.core import publish_doctree
from docutils.utils import SystemMessage

from ragstead.errors import UnreadableDocument
from ragstead.extraction import Decode, TextBuilder
from ragstead.model import ExtractedText

_SETTINGS = {
    "file_insertion_enabled": False,
    "raw_enabled": False,
    "report_level": 5,
    "halt_level": 5,
    "warning_stream": False,
    "input_encoding": "unicode",
    "doctitle_xform": False,
    "docinfo_xform": False,
    "sectsubtitle_xform": False,
    "syntax_highlight": "none",
    "smart_quotes": False,
    "line_length_limit": 1_000_000,
    "_disable_config": True,
}
_ROLE = re.compile(r":[\w:+.-]+:`~?!?([^`<]*?)(?:\s*<[^>`]*>)?`")
_UNKNOWN_DIRECTIVE = re.compile(r"\A\.\. *[\w:+.-]+::[ \t]*(.*?)(?:\n|\Z)")
_OPTION = re.compile(r"\A\s*:[\w-]+:.*\n?", re.MULTILINE)
_UNSEEN = (nodes.comment, nodes.substitution_definition, nodes.target, nodes.pending, nodes.raw, nodes.Invisible)
_MAX_DEPTH = 5


class RstLoader:
    """Reads headings, paragraphs, lists, tables and code; directives of other tools show the text within them."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the text; the title is the first heading.

        Raises:
            UnreadableDocument: If docutils can't follow the markup.
        """
        builder = TextBuilder()
        try:
            _Walk(builder, 0).source(self._decode(data, None).replace("\0", ""))
        except (SystemMessage, AttributeError, IndexError, TypeError, ValueError, AssertionError) as exc:
            raise UnreadableDocument(f"{filename}: reStructuredText that can't be followed ({exc})") from exc
        built = builder.build()
        return builder.build(built.headings[0].title) if built.headings else built


class _Walk:
    def __init__(self, builder: TextBuilder, depth: int) -> None:
        self._builder = builder
        self._depth = depth
        self._steps: list[tuple[type[nodes.Node], Callable[[nodes.Element, int, int], None]]] = [
            (nodes.section, self._section),
            (nodes.title, self._title),
            (nodes.system_message, self._message),
            (nodes.literal_block, self._code),
            (nodes.doctest_block, self._code),
            (nodes.bullet_list, self._list),
            (nodes.enumerated_list, self._list),
            (nodes.table, self._table),
            (nodes.definition_list_item, self._definition),
            (nodes.field, self._field),
            (nodes.image, self._image),
        ]

    def source(self, text: str) -> None:
        document = publish_doctree(text, settings_overrides=_SETTINGS)
        self._children(document, 0, 0)

    def _children(self, node: nodes.Element, level: int, depth: int) -> None:
        for child in node.children:
            if isinstance(child, nodes.Element) and not isinstance(child, _UNSEEN):
                self._node(child, level, depth)

    def _node(self, node: nodes.Element, level: int, depth: int) -> None:
        for kind, step in self._steps:
            if isinstance(node, kind):
                step(node, level, depth)
                return
        if isinstance(node, nodes.TextElement):
            self._builder.paragraph(_text(node))
        else:
            self._children(node, level, depth)

    def _section(self, node: nodes.Element, level: int, depth: int) -> None:
        self._children(node, level + 1, depth)

    def _title(self, node: nodes.Element, level: int, depth: int) -> None:  # noqa: ARG002
        if isinstance(node.parent, nodes.section):
            self._builder.heading(_text(node), level)
        else:
            self._builder.paragraph(_text(node))

    def _message(self, node: nodes.Element, level: int, depth: int) -> None:  # noqa: ARG002
        """Docutils hands over the source of what it does not know: show the text in it."""
        for block in node.findall(nodes.literal_block):
            source = block.astext()
            known = _UNKNOWN_DIRECTIVE.match(source)
            if not known or self._depth >= _MAX_DEPTH:
                self._builder.paragraph(_ROLE.sub(r"\1", source))
                continue
            self._builder.paragraph(_ROLE.sub(r"\1", known.group(1)))
            body = _dedent(source[known.end() :])
            while (option := _OPTION.match(body)) and option.end():
                body = body[option.end() :]
            _Walk(self._builder, self._depth + 1).source(body)

    def _code(self, node: nodes.Element, level: int, depth: int) -> None:  # noqa: ARG002
        names: list[str] = node.get("classes", [])
        language = next((name for name in names if name != "code"), "")
        self._builder.code(node.astext(), language)

    def _list(self, node: nodes.Element, level: int, depth: int) -> None:
        number = int(node.get("start", 1)) if isinstance(node, nodes.enumerated_list) else None
        for item in node.children:
            marker = "-" if number is None else f"{number}."
            number = None if number is None else number + 1
            for i, child in enumerate(getattr(item, "children", [])):
                if i == 0 and isinstance(child, nodes.TextElement):
                    self._builder.item(_text(child), depth, marker)
                elif isinstance(child, nodes.Element) and not isinstance(child, _UNSEEN):
                    self._node(child, level, depth + 1)

    def _definition(self, node: nodes.Element, level: int, depth: int) -> None:
        terms = [_text(child) for child in node.children if isinstance(child, nodes.term | nodes.classifier)]
        self._builder.paragraph(": ".join(terms))
        for child in node.children:
            if isinstance(child, nodes.definition):
                self._children(child, level, depth)

    def _field(self, node: nodes.Element, level: int, depth: int) -> None:  # noqa: ARG002
        self._builder.paragraph(": ".join(_text(child) for child in node.children if isinstance(child, nodes.Element)))

    def _table(self, node: nodes.Element, level: int, depth: int) -> None:  # noqa: ARG002
        self._builder.end_block()
        for title in node.findall(nodes.title):
            self._builder.paragraph(_text(title))
        for row in node.findall(nodes.row):
            self._builder.row([_text(cell) for cell in row.children if isinstance(cell, nodes.Element)])
        self._builder.end_block()

    def _image(self, node: nodes.Element, level: int, depth: int) -> None:  # noqa: ARG002
        self._builder.paragraph(str(node.get("alt", "")))


def _text(node: nodes.Element) -> str:
    return _ROLE.sub(r"\1", node.astext())


def _dedent(source: str) -> str:
    lines = source.split("\n")
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    cut = min(indents, default=0)
    return "\n".join(line[cut:] for line in lines).lstrip("\n")
