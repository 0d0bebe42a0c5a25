"""Bytes to clean text: what every loader needs, whatever the format and the library behind it."""

from ragstead.extraction.builder import TextBuilder, clean_text
from ragstead.extraction.encodings import Decode, Guess, decode_text
from ragstead.extraction.lines import LINE_END_HYPHEN, Line, Paragraph, join_lines, looks_like_heading
from ragstead.extraction.tables import tabulate

__all__ = [
    "LINE_END_HYPHEN",
    "Decode",
    "Guess",
    "Line",
    "Paragraph",
    "TextBuilder",
    "clean_text",
    "decode_text",
    "join_lines",
    "looks_like_heading",
    "tabulate",
]
