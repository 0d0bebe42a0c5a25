"""Reads EPUB: the zip and its package by the standard library and lxml, the chapters by a loader for HTML."""

from __future__ import annotations

import io
from collections.abc import Callable
from posixpath import dirname, join, normpath
from urllib.parse import unquote
from zipfile import BadZipFile, ZipFile

from lxml import etree

from ragstead.errors import UnreadableDocument
from ragstead.extraction import TextBuilder
from ragstead.model import ExtractedText

_CONTAINER = "META-INF/container.xml"
_CHAPTERS = {"application/xhtml+xml", "text/html", "application/x-dtbook+xml"}
_DAMAGED = (BadZipFile, etree.LxmlError, KeyError, ValueError, RuntimeError, NotImplementedError, OSError, IndexError)


class EpubLoader:
    """Reads the chapters in the order of the book's spine.

    Args:
        read_html: Reads one chapter.
    """

    def __init__(self, read_html: Callable[[bytes, str], ExtractedText]) -> None:
        self._read_html = read_html

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the book's text; the title is the package's.

        Raises:
            UnreadableDocument: If the file is damaged or its chapters are encrypted.
        """
        builder = TextBuilder()
        try:
            with ZipFile(io.BytesIO(data)) as book:
                if "META-INF/rights.xml" in book.namelist():
                    raise UnreadableDocument(f"{filename}: the book's chapters are encrypted")
                package_path = str(
                    _parse(book.read(_CONTAINER)).xpath("string(//*[local-name()='rootfile']/@full-path)")
                )
                package = _parse(book.read(package_path))
                for path in _spine(package, dirname(package_path)):
                    if path in book.NameToInfo:
                        builder.embed(self._read_html(book.read(path), path))
                title = str(package.xpath("string(//*[local-name()='metadata']/*[local-name()='title'])"))
        except _DAMAGED as exc:
            raise UnreadableDocument(f"{filename}: damaged EPUB ({exc})") from exc
        return builder.build(title)


def _parse(data: bytes) -> etree._Element:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, recover=True)
    root = etree.fromstring(data, parser)
    if root is None:
        raise ValueError("an empty package file")
    return root


def _spine(package: etree._Element, folder: str) -> list[str]:
    items = {
        str(item.get("id")): unquote(str(item.get("href") or ""))
        for item in package.xpath("//*[local-name()='manifest']/*[local-name()='item']")
        if item.get("media-type") in _CHAPTERS
    }
    order = [str(ref.get("idref")) for ref in package.xpath("//*[local-name()='spine']/*[local-name()='itemref']")]
    return [normpath(join(folder, items[ref])) for ref in dict.fromkeys(order) if ref in items]
