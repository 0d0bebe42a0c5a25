"""Puts an extracted text together from its parts, so that every loader's output obeys the same rules.

The text is light Markdown: headings carry `#` marks, list items `- ` or a number, code its fences, and a
table row is one line with ` | ` between its cells. Readers, sentence splitters and language models all take
that in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from ragstead.model import ExtractedText, Heading

_LINE_ENDS = re.compile(r"\r\n|[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNWANTED = re.compile(r"[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\ufeff\ufffe\uffff]")
_SURROGATES = re.compile("[\ud800-\udfff]")
_HARD_SPACES = re.compile(r"[\u00a0\u202f\u2007]")
_TRAILING = re.compile(r"[ \t]+(?=\n)|[ \t]+\Z")
_BLANK_LINES = re.compile(r"\n{3,}")
_MAX_TITLE_CHARS = 300


def clean_text(text: str) -> str:
    r"""Return `text` as NFC with `\n` for line ends, and what no reader sees gone.

    Control characters and soft hyphens go, spaces that only forbid a line break become plain ones, and a lone
    surrogate becomes U+FFFD.
    """
    text = _LINE_ENDS.sub("\n", text)
    text = _UNWANTED.sub("", text)
    text = _HARD_SPACES.sub(" ", text)
    text = _SURROGATES.sub("\ufffd", text)
    return unicodedata.normalize("NFC", text)


def _one_line(text: str) -> str:
    return " ".join(clean_text(text).split())


class TextBuilder:
    """Collects the parts of a document in reading order and yields a valid `ExtractedText`.

    Parts that hold nothing but white space are passed over. Paragraphs, headings, code and page breaks are
    set off by a blank line; neighbouring list items and neighbouring table rows stand on lines of their own.
    """

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._last = ""
        self._headings: list[Heading] = []
        self._page_starts: list[int] = []
        self._page_pending = False

    @property
    def length(self) -> int:
        """Characters collected so far, which loaders hold against their limits."""
        return self._length

    def heading(self, text: str, level: int) -> None:
        """Add a heading; levels under 1 count as 1 and above 6 as 6."""
        title = _one_line(text)
        if title:
            level = min(6, max(1, level))
            line = f"{'#' * level} {title}"
            start = self._add(line, "heading")
            self._headings.append(Heading(start, start + len(line), level, title))

    def paragraph(self, text: str) -> None:
        """Add a paragraph; its line ends stay, and blank lines in it begin a new one."""
        self._add(self._tidy(text), "paragraph")

    def item(self, text: str, depth: int = 0, marker: str = "-") -> None:
        """Add a list item of one line, indented by two spaces for each level of `depth`."""
        line = _one_line(text)
        if line:
            self._add(f"{'  ' * min(depth, 10)}{marker} {line}", "item")

    def row(self, cells: Sequence[str]) -> None:
        """Add a table row; a cell's line ends become spaces, empty cells at the end go."""
        words = [_one_line(cell) for cell in cells]
        while words and not words[-1]:
            words.pop()
        if any(words):
            self._add(" | ".join(words), "row")

    def code(self, text: str, language: str = "") -> None:
        """Add code between fences, verbatim but for control characters."""
        body = clean_text(text).strip("\n").rstrip()
        if body.strip():
            longest = max((len(run) for run in re.findall(r"`{3,}", body)), default=2)
            fence = "`" * (longest + 1)
            self._add(f"{fence}{_one_line(language)}\n{body}\n{fence}", "code")

    def end_block(self) -> None:
        """Set off what follows, such as a second table that comes right after a first."""
        self._last = ""

    def page_break(self) -> None:
        """Begin a page, slide or sheet; one without text is counted all the same."""
        if self._page_pending:
            self._page_starts.append(self._length)
        self._page_pending = True
        self._last = ""

    def embed(self, other: ExtractedText, *, deeper: int = 0) -> None:
        """Add another document whole, its headings `deeper` levels down; its pages are not counted."""
        position = 0
        for heading in other.headings:
            self.paragraph(other.text[position : heading.start])
            self.heading(heading.title, heading.level + deeper)
            position = heading.end
        self.paragraph(other.text[position:])

    def build(self, title: str = "") -> ExtractedText:
        """Return what was collected; `title` is cut at 300 characters."""
        if self._page_pending:
            self._page_starts.append(self._length)
            self._page_pending = False
        text = "".join(self._parts)
        return ExtractedText(
            text,
            _one_line(title)[:_MAX_TITLE_CHARS].rstrip(),
            tuple(self._headings),
            tuple(self._page_starts),
        )

    @staticmethod
    def _tidy(text: str) -> str:
        text = _TRAILING.sub("", clean_text(text))
        return _BLANK_LINES.sub("\n\n", text).strip("\n").rstrip()

    def _add(self, block: str, kind: str) -> int:
        if not block.strip():
            return self._length
        if self._parts:
            joined = "\n" if kind == self._last and kind in {"item", "row"} else "\n\n"
            self._parts.append(joined)
            self._length += len(joined)
        start = self._length
        if self._page_pending:
            self._page_starts.append(start)
            self._page_pending = False
        self._parts.append(block)
        self._length += len(block)
        self._last = kind
        return start
