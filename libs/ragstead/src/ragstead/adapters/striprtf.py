"""Reads RTF by striprtf."""

from __future__ import annotations

from striprtf.striprtf import rtf_to_text

from ragstead.errors import UnreadableDocument
from ragstead.extraction import TextBuilder
from ragstead.model import ExtractedText


class RtfLoader:
    """Reads RTF; knows nothing of headings, as RTF marks them by looks alone."""

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the paragraphs.

        Raises:
            UnreadableDocument: If the file's groups can't be followed.
        """
        try:
            text = rtf_to_text(data.decode("latin-1"), errors="replace")  # type: ignore[no-untyped-call]
        except (ValueError, LookupError, IndexError, TypeError, AttributeError) as exc:
            raise UnreadableDocument(f"{filename}: damaged RTF ({exc})") from exc
        builder = TextBuilder()
        for line in text.split("\n"):
            if "|" in line and line.rstrip().endswith("|"):
                builder.row(line.split("|"))
            else:
                builder.paragraph(line)
        return builder.build()
