"""Reads plain text."""

from __future__ import annotations

from ragstead.extraction import Decode, TextBuilder
from ragstead.model import ExtractedText


class PlainTextLoader:
    """Keeps the text as it is, but for line ends, encoding and what no reader sees."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def load(self, data: bytes, filename: str) -> ExtractedText:  # noqa: ARG002
        """Return the text; never fails."""
        builder = TextBuilder()
        builder.paragraph(self._decode(data, None))
        return builder.build()
