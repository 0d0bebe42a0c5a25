"""A document's sections, blocks and atoms, as offsets into its text.

A section is a heading and what stands under it up to the next heading. A block is a paragraph, list, table
or fenced code. An atom is what is never cut unless it is too large itself: a sentence, or a line of a list,
a table or code.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ragstead.model import ExtractedText

SplitSentences = Callable[[str], Sequence[tuple[int, int]]]
"""Returns the sentences of a text as half-open offsets, ascending."""

PIECE_CHARS = 60
"""What an atom that is too large is cut into, at white space where there is any; small enough that no tokenizer makes
more tokens of it than the smallest budget."""

_MIN_ATOM_CHARS = 48
_LINE = re.compile(r"[^\n]*\n?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_LINEWISE = re.compile(r"[ \t]*(?:[-*+•]|\d{1,3}[.)])[ \t]|.* \| ")
_WORD = re.compile(r"\s*\S+")


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of text under one heading.

    Attributes:
        start: Offset of its heading, or of its first character where it has none.
        end: Offset behind its last.
        level: Level of its heading; 0 before the first heading.
        path: Titles of the headings it stands under, its own the last.
        is_bare: True where nothing stands under its heading.
    """

    start: int
    end: int
    level: int
    path: tuple[str, ...]
    is_bare: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph, list, table or fenced code.

    Attributes:
        start: Offset of its first character.
        end: Offset behind its last.
        linewise: True where lines, not sentences, are its natural parts.
    """

    start: int
    end: int
    linewise: bool


def sections(extracted: ExtractedText) -> list[Section]:
    """Return the sections of the text in order; together they cover it."""
    found: list[Section] = []
    above: list[tuple[int, str]] = []
    headings = extracted.headings
    first = headings[0].start if headings else len(extracted.text)
    if first:
        found.append(Section(0, first, 0, ()))
    for i, heading in enumerate(headings):
        end = headings[i + 1].start if i + 1 < len(headings) else len(extracted.text)
        while above and above[-1][0] >= heading.level:
            above.pop()
        above.append((heading.level, heading.title))
        is_bare = not extracted.text[heading.end : end].strip()
        found.append(Section(heading.start, end, heading.level, tuple(title for _, title in above), is_bare))
    return found


def blocks(text: str, start: int, end: int) -> Iterator[Block]:
    """Yield the blocks between two offsets: what blank lines set off, fenced code whole."""
    begun: int | None = None
    fence = ""
    last = start
    position = start
    while position < end:
        line = _LINE.match(text, position, end)
        stop = line.end() if line else end
        content = text[position:stop]
        mark = _FENCE.match(content)
        if fence:
            if mark and mark.group(1).startswith(fence) and not content.strip().strip(fence[0]):
                yield Block(position if begun is None else begun, stop, True)
                begun, fence = None, ""
        elif mark:
            if begun is not None:
                yield _block(text, begun, last)
            begun, fence = position, mark.group(1)
        elif content.strip():
            begun = position if begun is None else begun
        elif begun is not None:
            yield _block(text, begun, last)
            begun = None
        last = position = stop
    if begun is not None:
        yield Block(begun, end, True) if fence else _block(text, begun, end)


def _block(text: str, start: int, end: int) -> Block:
    return Block(start, end, bool(_LINEWISE.match(text, start, end)))


def atoms(text: str, block: Block, split_sentences: SplitSentences) -> list[tuple[int, int]]:
    """Return the atoms of a block, which cover all of it but white space; short neighbours stay together."""
    piece = text[block.start : block.end]
    if block.linewise:
        cuts = [match.start() for match in _LINE.finditer(piece)]
    else:
        cuts = sorted({min(max(start, 0), len(piece)) for start, _ in split_sentences(piece)})
    kept = [0]
    for cut in cuts:
        if cut - kept[-1] >= _MIN_ATOM_CHARS:
            kept.append(cut)
    if len(kept) > 1 and len(piece) - kept[-1] < _MIN_ATOM_CHARS // 2:
        kept.pop()
    spans = zip(kept, [*kept[1:], len(piece)], strict=True)
    return [span for a, b in spans if (span := trimmed(text, block.start + a, block.start + b))]


def pieces(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """Cut a stretch into pieces of at most `PIECE_CHARS` characters, inside words only where it must."""
    found: list[tuple[int, int]] = []
    begun = start
    last = start
    for match in _WORD.finditer(text, start, end):
        if match.end() - begun > PIECE_CHARS and last > begun:
            found.append((begun, last))
            begun = last
        while match.end() - begun > PIECE_CHARS:
            cut = _between_characters(text, begun + PIECE_CHARS)
            if cut >= match.end():
                break
            found.append((begun, cut))
            begun = cut
        last = match.end()
    if last > begun:
        found.append((begun, last))
    return [span for a, b in found if (span := trimmed(text, a, b))]


def _between_characters(text: str, cut: int) -> int:
    """Move a cut behind marks that belong to the character before it, by 16 at most."""
    for offset in range(cut, min(cut + 16, len(text))):
        character = text[offset]
        joined = unicodedata.combining(character) or character in "\u200d\ufe0e\ufe0f" or text[offset - 1] == "\u200d"
        if not joined:
            return offset
    return cut


def trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    """Return the stretch without white space at its ends, or None where nothing else is in it."""
    piece = text[start:end]
    bare = piece.lstrip()
    if not bare:
        return None
    start = end - len(bare)
    return start, start + len(bare.rstrip())
