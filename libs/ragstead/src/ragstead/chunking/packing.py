"""Atoms into chunks: along blocks where they fit, else along sentences, nothing over the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

MAX_CHARS_PER_TOKEN = 10
"""A chunk's characters are bounded too, as a tokenizer may make one token of any number of characters."""


@dataclass(frozen=True, slots=True)
class Atom:
    """A sentence or line, or a piece of one.

    Attributes:
        start: Offset of its first character.
        end: Offset behind its last.
        tokens: How large it is.
        block: Number of the block that it is part of.
    """

    start: int
    end: int
    tokens: int
    block: int


@dataclass(frozen=True, slots=True)
class Sizes:
    """How large chunks are, in tokens.

    Attributes:
        budget: What no chunk exceeds.
        target: What a chunk is filled up to along whole blocks.
        overlap: How much of a chunk's end the next one repeats, in whole atoms.
    """

    budget: int
    target: int
    overlap: int


def weight(atom: Atom) -> int:
    """Size of an atom in tokens, or more where it has an odd number of characters for its tokens."""
    return max(atom.tokens, ceil((atom.end - atom.start) / MAX_CHARS_PER_TOKEN))


def pack(atoms: Sequence[Atom], sizes: Sizes) -> list[Sequence[Atom]]:
    """Pack the atoms of one stretch of text into chunks, in order.

    Whole blocks are added up to the target, and up to the budget where less than a quarter of it would be left alone.
    A block over the budget is cut along its atoms into parts of about the same size, so that no runt is left at its
    end; a chunk less than half full takes the first of them. With an overlap, a chunk begins with the last atoms of
    the one before.
    """
    if not atoms:
        return []
    if sum(map(weight, atoms)) <= sizes.target:
        return [atoms]
    ends = _ends(atoms, sizes)
    packed: list[Sequence[Atom]] = []
    start = 0
    for end in ends:
        first = _overlapped(atoms, start, end, sizes) if packed else start
        packed.append(atoms[first:end])
        start = end
    return packed


def _ends(atoms: Sequence[Atom], sizes: Sizes) -> list[int]:
    """Indices behind the last atom of each chunk."""
    room = max(1, sizes.budget - sizes.overlap)
    target = min(sizes.target, room)
    ends: list[int] = []
    filled = 0
    for first, last in _blocks(atoms):
        size = sum(weight(atom) for atom in atoms[first:last])
        runt = min(filled, size) < target // 4
        if filled + size <= (room if runt else target):
            filled += size
            continue
        if filled and (filled >= target // 2 or (size <= target and not runt)):
            ends.append(first)
            filled = 0
        if size <= room and not filled:
            filled = size
            continue
        aim = ceil((size + filled) / ceil((size + filled) / target))
        for i in range(first, last):
            tokens = weight(atoms[i])
            if filled and (filled + tokens > room or filled + tokens / 2 > aim):
                ends.append(i)
                filled = 0
            filled += tokens
    ends.append(len(atoms))
    return ends


def _blocks(atoms: Sequence[Atom]) -> list[tuple[int, int]]:
    cuts = [i for i in range(len(atoms)) if i == 0 or atoms[i].block != atoms[i - 1].block]
    return list(zip(cuts, [*cuts[1:], len(atoms)], strict=True))


def _overlapped(atoms: Sequence[Atom], start: int, end: int, sizes: Sizes) -> int:
    free = min(sizes.overlap, sizes.budget - sum(weight(atom) for atom in atoms[start:end]))
    first = start
    while first > 0 and weight(atoms[first - 1]) <= free:
        first -= 1
        free -= weight(atoms[first])
    return first
