"""What a file is: by its content where that tells, by its name where it does not."""

from __future__ import annotations

import codecs
import re
from enum import StrEnum
from pathlib import PurePath

from ragstead.errors import UnreadableDocument
from ragstead.extraction.archives import ArchiveLimits, member_names


class Format(StrEnum):
    """A format that can be read."""

    CSV = "csv"
    DOCX = "docx"
    EMAIL = "eml"
    EPUB = "epub"
    HTML = "html"
    JSON = "json"
    MARKDOWN = "md"
    OPEN_DOCUMENT = "odf"
    PDF = "pdf"
    PPTX = "pptx"
    RST = "rst"
    RTF = "rtf"
    TEXT = "txt"
    XLSX = "xlsx"


SUFFIXES = {
    ".csv": Format.CSV, ".tsv": Format.CSV, ".tab": Format.CSV,
    ".eml": Format.EMAIL,
    ".html": Format.HTML, ".htm": Format.HTML, ".xhtml": Format.HTML, ".xml": Format.HTML,
    ".json": Format.JSON, ".jsonl": Format.JSON, ".ndjson": Format.JSON,
    ".md": Format.MARKDOWN, ".markdown": Format.MARKDOWN, ".mdx": Format.MARKDOWN, ".mkd": Format.MARKDOWN,
    ".rst": Format.RST, ".rest": Format.RST,
}  # fmt: skip
"""Formats of text by the suffix that names them; any other text is plain. Binary formats show what they are."""

_ZIP_PARTS = (("word/", Format.DOCX), ("ppt/", Format.PPTX), ("xl/", Format.XLSX))
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_OLE_STREAMS = (
    ("EncryptedPackage", "an Office file that needs a password; remove the password"),
    ("WordDocument", "a Word file of before 2007 (.doc); save it as .docx"),
    ("Workbook", "an Excel file of before 2007 (.xls); save it as .xlsx"),
    ("Book", "an Excel file of before 2007 (.xls); save it as .xlsx"),
    ("PowerPoint Document", "a PowerPoint file of before 2007 (.ppt); save it as .pptx"),
    ("__properties_version1.0", "an Outlook message (.msg); save it as .eml"),
)
_KNOWN_BINARY = (
    (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"), (b"GIF8", "a GIF picture"),
    (b"II*\0", "a TIFF picture"), (b"MM\0*", "a TIFF picture"), (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"), (b"Rar!", "a RAR archive"), (b"\x7fELF", "a program"), (b"MZ", "a program"),
    (b"BZh", "a bzip2 archive"), (b"\xfd7zXZ", "an xz archive"), (b"ID3", "an MP3 recording"), (b"OggS", "an Ogg file"),
    (b"SQLite format 3", "an SQLite database"), (b"PAR1", "a Parquet file"),
)  # fmt: skip
_WIDE_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_HTML = re.compile(
    rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html[\s>])", re.IGNORECASE | re.DOTALL
)
_EMAIL = re.compile(rb"(?:From |Received:|Return-Path:|MIME-Version:|Delivered-To:|Message-ID:)", re.IGNORECASE)
_EMAIL_HEADER = re.compile(rb"^(?:From|Subject|MIME-Version|Content-Type):", re.IGNORECASE | re.MULTILINE)
_CONTROL = bytes(set(range(32)) - {7, 8, 9, 10, 12, 13, 27}) + b"\x7f"
_SAMPLE_BYTES = 64 * 1024


def recognise(data: bytes, filename: str, limits: ArchiveLimits) -> Format:
    """Return the format of a file; one that is named as another is what its content says.

    Raises:
        UnreadableDocument: If it is of no format that can be read, encrypted, or an archive over the limits; says what
            was found.
    """
    if data.startswith(b"PK\x03\x04"):
        return _zipped(data, filename, limits)
    if data.startswith(_OLE):
        raise UnreadableDocument(f"{filename}: {_inside_ole(data)}")
    if b"%PDF-" in data[:1024]:
        return Format.PDF
    if data.lstrip()[:5] == b"{\\rtf":
        return Format.RTF
    for mark, name in _KNOWN_BINARY:
        if data.startswith(mark) and (len(mark) > 2 or b"\0" in data[:1024]):
            raise UnreadableDocument(f"{filename}: {name}, which holds no text that can be read")
    return _text_format(data, filename)


def _zipped(data: bytes, filename: str, limits: ArchiveLimits) -> Format:
    names = member_names(data, filename, limits)
    if "META-INF/container.xml" in names and "content.xml" not in names:
        return Format.EPUB
    if "content.xml" in names and "mimetype" in names:
        return Format.OPEN_DOCUMENT
    if "xl/workbook.bin" in names:
        raise UnreadableDocument(f"{filename}: a binary Excel file (.xlsb); save it as .xlsx")
    if "[Content_Types].xml" in names:
        for folder, kind in _ZIP_PARTS:
            if any(name.startswith(folder) for name in names):
                return kind
    raise UnreadableDocument(f"{filename}: a zip archive of {len(names)} files; unpack it first")


def _inside_ole(data: bytes) -> str:
    for stream, meaning in _OLE_STREAMS:
        if f"{stream}\0".encode("utf-16-le") in data:
            return meaning
    return "an OLE file of unknown content"


def _text_format(data: bytes, filename: str) -> Format:
    sample = data[:_SAMPLE_BYTES]
    if not sample.startswith(_WIDE_MARKS) and not _is_wide(sample) and _is_binary(sample):
        raise UnreadableDocument(f"{filename}: binary data of no known format (it begins {data[:8].hex(' ')})")
    narrow = (
        sample.replace(b"\0", b"").removeprefix(codecs.BOM_UTF8).removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff")
    )
    named = SUFFIXES.get(PurePath(filename).suffix.lower())
    if named is None or named is Format.CSV or named is Format.JSON:
        if _HTML.match(narrow):
            return Format.HTML
        if _EMAIL.match(narrow) and len(_EMAIL_HEADER.findall(narrow[:8192])) >= 2:
            return Format.EMAIL
    return named or Format.TEXT


def _is_wide(sample: bytes) -> bool:
    """True for UTF-16 without a byte order mark: nearly every other byte is 0, on one side alone."""
    pairs = max(1, len(sample) // 2)
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    return max(even, odd) > 0.4 * pairs and min(even, odd) < 0.05 * pairs


def _is_binary(sample: bytes) -> bool:
    controls = len(sample) - len(sample.translate(None, _CONTROL))
    return controls > max(1, len(sample) // 50)
