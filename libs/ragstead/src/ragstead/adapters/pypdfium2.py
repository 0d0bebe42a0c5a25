"""Reads PDF by PDFium."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from ctypes import byref, c_double

import pypdfium2
from pypdfium2 import raw

from ragstead.errors import UnreadableDocument
from ragstead.extraction import LINE_END_HYPHEN, Line, TextBuilder, join_lines, looks_like_heading
from ragstead.model import ExtractedText

_HYPHENS = {0xFFFE, 0x02}
_PASSWORD = "Incorrect password"  # noqa: S105
_MAX_CHARS = 20_000_000


class PdfLoader:
    """Reads the text layer page by page, in the order in which the page draws it; pictures are not read.

    Printed lines are joined to paragraphs; lines set clearly larger than the body become headings.

    Args:
        max_pages: How many pages a document may have.
    """

    def __init__(self, max_pages: int = 20_000) -> None:
        self._max_pages = max_pages

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the text; blank where all pages are pictures. Restrictions on copying are no password.

        Raises:
            UnreadableDocument: If the file needs a password, is damaged or has too many pages.
        """
        try:
            document = pypdfium2.PdfDocument(data)
        except pypdfium2.PdfiumError as exc:
            encrypted = _PASSWORD in str(exc)
            reason = "it needs a password; remove the password" if encrypted else f"damaged PDF ({exc})"
            raise UnreadableDocument(f"{filename}: {reason}") from exc
        try:
            return self._read(document, filename)
        finally:
            document.close()

    def _read(self, document: pypdfium2.PdfDocument, filename: str) -> ExtractedText:
        if len(document) > self._max_pages:
            raise UnreadableDocument(f"{filename}: {len(document)} pages, more than {self._max_pages}; split it")
        pages: list[list[Line]] = []
        chars = failed = 0
        for number in range(len(document)):
            try:
                pages.append(_lines(document[number]))
            except pypdfium2.PdfiumError:
                failed += 1
                pages.append([])
            chars += sum(len(line.text) for line in pages[-1])
            if chars > _MAX_CHARS:
                raise UnreadableDocument(f"{filename}: more than {_MAX_CHARS} characters; split it")
        if failed == len(pages):
            raise UnreadableDocument(f"{filename}: damaged PDF (none of its {failed} pages can be opened)")
        title = document.get_metadata_dict(skip_empty=True).get("Title", "")
        return _build(pages, "" if title.lower().startswith(("untitled", "microsoft word -")) else title)


def _build(pages: list[list[Line]], title: str) -> ExtractedText:
    sizes: Counter[float] = Counter()
    for line in (line for page in pages for line in page):
        sizes[round(line.size, 1)] += len(line.text)
    body = sizes.most_common(1)[0][0] if sizes else 0.0
    larger = sorted((size for size in sizes if size >= 1.15 * body), reverse=True)
    levels = {size: min(3, i + 1) for i, size in enumerate(larger)}
    builder = TextBuilder()
    for page in pages:
        builder.page_break()
        for one in join_lines(page):
            if looks_like_heading(one.text, one.size, body):
                builder.heading(one.text, levels.get(round(one.size, 1), 3))
            elif one.is_row:
                builder.row([one.text])
            else:
                builder.paragraph(one.text)
    return builder.build(title)


def _lines(page: pypdfium2.PdfPage) -> list[Line]:
    try:
        text_page = page.get_textpage()
        found = [_line(text_page, text, first, last) for text, first, last in _runs(text_page)]
        rotated = bool(page.get_rotation())
    finally:
        page.close()
    upright = sum(is_upright for _, is_upright in found) * 2 >= len(found)
    lines = [line if is_upright is upright else _aside(line) for line, is_upright in found]
    # The writer of a page that is only turned for reading never saw it so, and wrote its lines in any order.
    return sorted(lines, key=lambda line: -line.top) if rotated else lines


def _aside(line: Line) -> Line:
    """A line across the others, such as a stamp in the margin: no heading, whatever its size."""
    return Line(line.text, line.left, line.right, line.top, 0.0)


def _runs(text_page: pypdfium2.PdfTextPage) -> Iterator[tuple[str, int, int]]:
    """Yield each printed line with the numbers of its first and last character."""
    handle = text_page.raw
    words: list[str] = []
    first = last = -1
    for i in range(text_page.count_chars()):
        code = raw.FPDFText_GetUnicode(handle, i)
        if code in {0x0A, 0x0D} or code in _HYPHENS:
            if code in _HYPHENS:
                words.append(LINE_END_HYPHEN)
            if words and first >= 0:
                yield "".join(words), first, last
            words, first = [], -1
            continue
        words.append(chr(code) if 0 < code <= 0x10FFFF else "")
        if code > 0x20:
            first = i if first < 0 else first
            last = i
    if words and first >= 0:
        yield "".join(words), first, last


def _line(text_page: pypdfium2.PdfTextPage, text: str, first: int, last: int) -> tuple[Line, bool]:
    """The line as one reads it, and whether it runs along the page's horizontal edge."""
    left, _, bottom, top = _box(text_page, first)
    end_left, right, end_bottom, end_top = _box(text_page, last)
    size = abs(raw.FPDFText_GetFontSize(text_page.raw, first))
    along, across = end_left - left, end_bottom - bottom
    if abs(along) >= abs(across):
        return Line(text, left, right, top, size), True
    if across > 0:
        return Line(text, bottom, end_top, -left, size), False
    return Line(text, -top, -end_bottom, right, size), False


def _box(text_page: pypdfium2.PdfTextPage, index: int) -> tuple[float, float, float, float]:
    left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
    raw.FPDFText_GetCharBox(text_page.raw, index, byref(left), byref(right), byref(bottom), byref(top))
    return left.value, right.value, bottom.value, top.value
