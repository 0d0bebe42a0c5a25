"""Files that are damaged, encrypted, mislabelled or made to do harm."""

from __future__ import annotations

import gzip
import io
import random
import zipfile

import docx
import openpyxl
import pytest
from pptx import Presentation

from ragstead.bootstrap.loaders import load_file
from ragstead.errors import UnreadableDocument
from ragstead.extraction.archives import ArchiveLimits


def zipped(members: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def saved(made: object) -> bytes:
    file = io.BytesIO()
    made.save(file)  # type: ignore[attr-defined]
    return file.getvalue()


def read_or_refused(data: bytes, name: str) -> None:
    """No other error than the one that names the file may come out."""
    try:
        load_file(data, name)
    except UnreadableDocument as exc:
        assert name in str(exc)  # noqa: PT017 - either outcome is right


def word() -> bytes:
    document = docx.Document()
    document.add_paragraph("Words in Word")
    return saved(document)


@pytest.mark.parametrize("data", [b"", b"   \n\t "])
@pytest.mark.parametrize(
    "suffix", ["pdf", "docx", "xlsx", "md", "html", "csv", "json", "eml", "epub", "odt", "rtf", "bin"]
)
def test_empty_file_of_any_name_is_blank(data: bytes, suffix: str) -> None:
    assert load_file(data, f"a.{suffix}").is_blank


@pytest.mark.parametrize("name", ["a.pdf", "a.txt", "a.xlsx", "noname"])
def test_mislabelled_file_is_read_as_what_it_is(name: str) -> None:
    assert load_file(word(), name).text == "Words in Word"
    assert load_file(b"<!DOCTYPE html><html><body><p>A page</p></body></html>", "a.csv").text == "A page"
    assert load_file(rb"{\rtf1 Rich\par}", name).text == "Rich"


def test_text_named_as_a_binary_format_is_read_as_text() -> None:
    assert load_file(b"just words", "report.pdf").text == "just words"


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0\0", "PNG"),
        (b"\xff\xd8\xff\xe0\0\x10", "JPEG"),
        (gzip.compress(b"words", mtime=0), "gzip"),
        (b"\x7fELF\2\1\1" + b"\0" * 50, "a program"),
        (random.Random(1).randbytes(4096), "binary data"),
        (b"words\0and\0\0\0\1\2 more" * 20, "binary data"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage\0".encode("utf-16-le"), "needs a password"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "WordDocument\0".encode("utf-16-le"), r"\.docx"),
        (zipped({"a.txt": "words"}), "zip archive of 1 files"),
        (zipped({"[Content_Types].xml": "<x/>", "xl/workbook.bin": "x"}), "xlsb"),
    ],
)
def test_file_of_no_readable_format_is_refused_with_what_was_found(data: bytes, found: str) -> None:
    with pytest.raises(UnreadableDocument, match=found):
        load_file(data, "thing.dat")


@pytest.mark.parametrize("make", [docx.Document, Presentation, openpyxl.Workbook])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_truncated_office_file_is_refused(make: type, share: float) -> None:
    data = saved(make())
    with pytest.raises(UnreadableDocument, match="damaged"):
        load_file(data[: int(len(data) * share)], "a.docx")


@pytest.mark.parametrize("make", [docx.Document, Presentation, openpyxl.Workbook])
def test_office_file_with_any_part_garbled_is_read_or_refused(make: type) -> None:
    with zipfile.ZipFile(io.BytesIO(saved(make()))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for name in list(parts)[:25]:
        for damage in (b"", b"<a><b></a>", parts[name][: len(parts[name]) // 2]):
            read_or_refused(zipped({**parts, name: damage}), "a.docx")


@pytest.mark.parametrize("size", [20, 200, 2000])
def test_pdf_of_garbage_is_refused(size: int) -> None:
    with pytest.raises(UnreadableDocument, match="damaged PDF"):
        load_file(b"%PDF-1.7\n" + random.Random(2).randbytes(size), "a.pdf")


def test_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zipped({"[Content_Types].xml": "<x/>", "word/document.xml": b"0" * (50 << 20)})
    with pytest.raises(UnreadableDocument, match="zip bomb"):
        load_file(bomb, "a.docx")


def test_archive_over_its_limits_is_refused() -> None:
    many = zipped({f"word/{i}": "x" for i in range(60)})
    with pytest.raises(UnreadableDocument, match="60 files"):
        load_file(many, "a.docx", archive_limits=ArchiveLimits(members=50))
    with pytest.raises(UnreadableDocument, match="unpacks to 3 MiB"):
        load_file(
            zipped({"word/a": random.Random(1).randbytes(3 << 20)}),
            "a.docx",
            archive_limits=ArchiveLimits(unpacked_bytes=1 << 20),
        )


def test_entity_bomb_in_an_office_file_is_refused() -> None:
    with zipfile.ZipFile(io.BytesIO(word())) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    for encoded in (bomb, bomb.decode().encode("utf-16")):
        with pytest.raises(UnreadableDocument, match="XML entities"):
            load_file(zipped({**parts, "word/document.xml": encoded}), "a.docx")


def test_entities_of_xml_and_html_are_not_expanded() -> None:
    bomb = (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "boom"><!ENTITY f SYSTEM "file:///etc/hostname">]><x>&a;&f;</x>'
    )
    text = load_file(bomb.encode(), "a.xml").text
    assert "boom" not in text.replace('"boom"', "")
    assert "&f;" in text or "f;" in text or not text


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"[" * 100_000 + b"]" * 100_000),
        ("a.md", b"> " * 20_000 + b"x"),
        ("a.md", b"- " * 5_000 + b"x"),
        ("a.md", b"[" * 20_000),
        ("a.html", b"<html>" + b"<div>" * 20_000 + b"x"),
        ("a.html", b"<table><tr><td>" * 3_000 + b"x"),
        ("a.rst", b"".join(b"  " * i + b"- x\n\n" for i in range(150))),
        ("a.rtf", b"{\\rtf1 " + b"{" * 50_000),
        ("a.xml", b"<a>" * 30_000),
    ],
)
def test_deep_nesting_is_read_or_refused(name: str, data: bytes) -> None:
    read_or_refused(data, name)


@pytest.mark.parametrize("name", ["a.md", "a.rst", "a.html", "a.csv", "a.json", "a.eml", "a.rtf", "a.txt"])
def test_noise_in_a_text_format_is_read_or_refused(name: str) -> None:
    noise = random.Random(3)
    for _ in range(30):
        data = bytes(noise.choice(b"ab \n\r\t<>&;:*_`#|-=[](){}\\\"',.0\xe9\xff") for _ in range(600))
        read_or_refused(data, name)


def test_stray_nuls_are_dropped() -> None:
    assert load_file(b"some words and more of them\0 and the rest of the text" * 3, "a.txt").text.count("\0") == 0


def test_file_and_text_over_their_limits_are_refused() -> None:
    with pytest.raises(UnreadableDocument, match="more than 1; split"):
        load_file(b"x" * (2 << 20), "a.txt", max_file_bytes=1 << 20)
    with pytest.raises(UnreadableDocument, match="more than 100 characters"):
        load_file(b"x" * 101, "a.txt", max_text_chars=100)
