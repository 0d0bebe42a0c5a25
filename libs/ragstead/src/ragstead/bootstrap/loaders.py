"""The table of formats: which loader reads which, each made when its format first turns up."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial

from ragstead.errors import UnreadableDocument
from ragstead.extraction import decode_text
from ragstead.extraction.archives import ArchiveLimits
from ragstead.extraction.formats import Format, recognise
from ragstead.model import ExtractedText
from ragstead.ports.loader import Loader

MAX_FILE_BYTES = 256 << 20
MAX_TEXT_CHARS = 20_000_000
_MAX_EMAIL_DEPTH = 3


def load_file(
    data: bytes,
    filename: str,
    *,
    max_file_bytes: int = MAX_FILE_BYTES,
    max_text_chars: int = MAX_TEXT_CHARS,
    archive_limits: ArchiveLimits = ArchiveLimits(),  # noqa: B008 - frozen
    depth: int = 0,
) -> ExtractedText:
    """Return the text of a file of any known format, told by its content first and its name second.

    Args:
        data: The file.
        filename: Its name, for its suffix and for messages.
        max_file_bytes: How large it may be.
        max_text_chars: How long its text may be.
        archive_limits: What it may hold where it is a zip archive, as all formats of offices are.
        depth: How many messages it is attached within.

    Raises:
        UnreadableDocument: If it can't be read; says why.
    """
    if len(data) > max_file_bytes:
        raise UnreadableDocument(f"{filename}: {len(data) >> 20} MiB, more than {max_file_bytes >> 20}; split it")
    if not data.strip():
        return ExtractedText("")
    found = recognise(data, filename, archive_limits)
    try:
        extracted = _loader(found, depth).load(data, filename)
    except RecursionError as exc:
        raise UnreadableDocument(f"{filename}: its parts are nested too deep") from exc
    if len(extracted.text) > max_text_chars:
        raise UnreadableDocument(f"{filename}: more than {max_text_chars} characters of text; split it")
    return extracted


@cache
def _loader(found: Format, depth: int) -> Loader:
    if found is Format.EMAIL:
        return _email(depth)
    return _FACTORIES[found]()


def _decode(data: bytes, declared: str | None) -> str:
    return decode_text(data, declared, guess=_guess)


def _guess(data: bytes) -> str | None:
    from ragstead.adapters.charset_normalizer import guess_encoding

    return guess_encoding(data)


def _csv() -> Loader:
    from ragstead.adapters.stdlib_csv import DelimitedLoader

    return DelimitedLoader(_decode)


def _docx() -> Loader:
    from ragstead.adapters.python_docx import DocxLoader

    return DocxLoader()


def _email(depth: int) -> Loader:
    from ragstead.adapters.stdlib_email import EmailLoader

    attached = partial(load_file, depth=depth + 1) if depth < _MAX_EMAIL_DEPTH else None
    return EmailLoader(_decode, _read_html, attached)


def _epub() -> Loader:
    from ragstead.adapters.lxml_epub import EpubLoader

    return EpubLoader(_read_html)


def _html() -> Loader:
    from ragstead.adapters.beautifulsoup import HtmlLoader

    return HtmlLoader(_decode)


def _read_html(data: bytes, filename: str) -> ExtractedText:
    return _loader(Format.HTML, 0).load(data, filename)


def _json() -> Loader:
    from ragstead.adapters.stdlib_json import JsonLoader

    return JsonLoader(_decode)


def _markdown() -> Loader:
    from ragstead.adapters.markdown_it import MarkdownLoader

    return MarkdownLoader(_decode, _read_html)


def _open_document() -> Loader:
    from ragstead.adapters.odfdo import OpenDocumentLoader

    return OpenDocumentLoader()


def _pdf() -> Loader:
    from ragstead.adapters.pypdfium2 import PdfLoader

    return PdfLoader()


def _pptx() -> Loader:
    from ragstead.adapters.python_pptx import PptxLoader

    return PptxLoader()


def _rst() -> Loader:
    from ragstead.adapters.docutils import RstLoader

    return RstLoader(_decode)


def _rtf() -> Loader:
    from ragstead.adapters.striprtf import RtfLoader

    return RtfLoader()


def _text() -> Loader:
    from ragstead.adapters.plain_text import PlainTextLoader

    return PlainTextLoader(_decode)


def _xlsx() -> Loader:
    from ragstead.adapters.openpyxl import XlsxLoader

    return XlsxLoader()


_FACTORIES: dict[Format, Callable[[], Loader]] = {
    Format.CSV: _csv,
    Format.DOCX: _docx,
    Format.EPUB: _epub,
    Format.HTML: _html,
    Format.JSON: _json,
    Format.MARKDOWN: _markdown,
    Format.OPEN_DOCUMENT: _open_document,
    Format.PDF: _pdf,
    Format.PPTX: _pptx,
    Format.RST: _rst,
    Format.RTF: _rtf,
    Format.TEXT: _text,
    Format.XLSX: _xlsx,
}
