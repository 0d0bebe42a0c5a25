"""Printed lines to paragraphs, for formats that keep only where words stand on a page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LINE_END_HYPHEN = "\ufffe"
"""What stands in a text for a hyphen at the end of a printed line."""

_SPLIT_WORD = re.compile(rf"(\w+){LINE_END_HYPHEN}\s*(\w+)")
_BULLET = re.compile(r"\s*(?:[•▪◦‣●○■□–-]\s|\(?\d{1,3}[.)]\s|\(?[a-z][.)]\s)")
_NUMERIC_MARKS = {"$", "€", "£", "%", "—", "–", "-"}
_LETTER = re.compile(r"[^\W\d_]")


@dataclass(frozen=True, slots=True)
class Line:
    """A printed line.

    Attributes:
        text: Its words; U+FFFE stands for a hyphen at its end.
        left: Where it begins, in points from the page's left edge.
        right: Where it ends.
        top: Upper edge in points from the page's bottom.
        size: Font size in points, 0 where unknown.
    """

    text: str
    left: float
    right: float
    top: float
    size: float


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Lines that belong together, as one.

    Attributes:
        text: Its words on one line, with split words mended.
        size: Font size of its longest line, in points.
        is_row: True where it looks like the row of a table.
    """

    text: str
    size: float
    is_row: bool


def join_lines(lines: Sequence[Line]) -> list[Paragraph]:
    """Join lines to paragraphs, in their order, and mend the words that were split at line ends.

    A new paragraph begins after a wider gap, at another font size, an indent, a bullet, or after a line that
    ends short of the others. A hyphen at a line's end goes unless the rest looks like a word of its own.

    Lines that are mostly numbers, the rows of tables, stay on their own.

    Returns:
        The paragraphs in order.
    """
    if not lines:
        return []
    gaps = sorted(a.top - b.top for a, b in pairwise(lines) if 2 < a.top - b.top < 60)
    pitch = gaps[len(gaps) // 4] if gaps else 0.0
    paragraphs: list[list[Line]] = [[lines[0]]]
    for previous, line in pairwise(lines):
        if _begins_paragraph(paragraphs[-1], previous, line, pitch):
            paragraphs.append([line])
        else:
            paragraphs[-1].append(line)
    words = {word.lower() for line in lines for word in re.findall(r"[\w-]+", line.text)}
    return [_paragraph(group, words) for group in paragraphs]


def _paragraph(group: Sequence[Line], words: set[str]) -> Paragraph:
    size = max(group, key=lambda line: len(line.text)).size
    return Paragraph(_mend("\n".join(line.text for line in group), words), size, _is_row(group[0].text))


def _is_row(text: str) -> bool:
    words = text.split()
    numbers = [word for word in words if word in _NUMERIC_MARKS or any(c.isdigit() for c in word)]
    return len(numbers) >= max(2, len(words) / 4)


def _begins_paragraph(group: Sequence[Line], previous: Line, line: Line, pitch: float) -> bool:
    if previous.text.rstrip().endswith(LINE_END_HYPHEN):
        return False
    gap = previous.top - line.top
    size = max(line.size, previous.size, 1.0)
    if abs(gap) < 0.6 * size and line.left >= previous.left:  # a raised mark, or more of the same printed line
        return False
    resized = abs(previous.size - line.size) > 0.6 and min(len(previous.text.strip()), len(line.text.strip())) > 2
    if resized or _is_row(line.text) or _is_row(group[0].text) or _BULLET.match(line.text):
        return True
    if gap < -0.3 * size:  # the next column, or page: goes on where the sentence does
        return previous.text.rstrip().endswith((".", "!", "?", ":")) or line.text.lstrip()[:1].isupper()
    width = max(one.right for one in group) - min(one.left for one in group)
    indented = line.left > previous.left + 0.8 * size and len(group) > 1
    short = previous.right < line.right - 0.15 * max(width, line.right - line.left)
    wide_gap = bool(pitch) and gap > max(1.35 * pitch, 0.9 * size)
    return wide_gap or indented or short


def _mend(text: str, words: set[str]) -> str:
    def joined(match: re.Match[str]) -> str:
        head, tail = match.group(1), match.group(2)
        whole, hyphened = head + tail, f"{head}-{tail}"
        if whole.lower() in words:
            return whole
        own_word = hyphened.lower() in words or tail[:1].isupper() or tail[:1].isdigit() or head[-1:].isdigit()
        return hyphened if own_word else whole

    text = _SPLIT_WORD.sub(joined, text).replace(LINE_END_HYPHEN, "-")
    return " ".join(text.split())


def looks_like_heading(text: str, size: float, body_size: float) -> bool:
    """True for a short line of words set clearly larger than the body."""
    return (
        body_size > 0
        and size >= 1.15 * body_size
        and len(text) <= 150
        and len(_LETTER.findall(text)) >= 3
        and not text.rstrip().endswith((".", ",", ";"))
    )
