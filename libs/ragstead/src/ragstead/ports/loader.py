"""Bytes to text."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ragstead.model import ExtractedText


class Loader(Protocol):
    """Reads one family of formats; runs in a child process, so it may be slow, greedy or crash."""

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the file's text; blank where the file holds none.

        Raises:
            UnreadableDocument: If the file is encrypted, damaged or not of this format; says which.
        """
        ...


class Parser(Protocol):
    """Reads a file of any known format without risk to this process."""

    async def parse(self, path: Path, filename: str) -> ExtractedText:
        """Return the text of the file at `path`, whose format is told by its content and by `filename`.

        Raises:
            UnreadableDocument: If it can't be read, in the time and memory allowed; says why.
        """
        ...
