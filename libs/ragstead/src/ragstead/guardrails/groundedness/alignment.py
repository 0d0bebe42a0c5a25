"""What a claim says laid beside what the evidence says, in order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragstead.guardrails.groundedness.tokens import Kind, Token

_GAIN = {Kind.WORD: 1.0, Kind.QUALIFIER: 1.0, Kind.NEGATION: 1.0, Kind.NAME: 1.6, Kind.NUMBER: 1.6}


@dataclass(frozen=True, slots=True)
class Gap:
    """Neighbouring tokens of the claim without a partner, and those of the evidence that stand in their place.

    Attributes:
        claim: Of the claim; may be empty.
        evidence: Of the evidence; may be empty.
        inner: Whether it lies between two partners, rather than at an end.
    """

    claim: Sequence[Token]
    evidence: Sequence[Token]
    inner: bool


@dataclass(frozen=True, slots=True)
class Alignment:
    """The common subsequence of most weight.

    Attributes:
        pairs: Positions of the partners, in claim and evidence, both ascending.
        moved: The same for tokens of clauses that stand elsewhere in the evidence.
        gaps: What stands between the partners, in order, ends included.
    """

    pairs: Sequence[tuple[int, int]]
    moved: Sequence[tuple[int, int]]
    gaps: Sequence[Gap]


def align(claim: Sequence[Token], evidence: Sequence[Token]) -> Alignment:
    """Return the heaviest common subsequence, and likewise for clauses of the claim that stand elsewhere in the evidence.

    Time grows with the product of the lengths.
    """
    pairs = _partners(claim, evidence)
    gaps: list[Gap] = []
    moved: list[tuple[int, int]] = []
    at = 0
    for gap in _gaps(claim, evidence, pairs):
        at = _position(claim, gap, at)
        inside = _partners(gap.claim, evidence) if len(gap.claim) > 1 else []
        if _is_clause(gap.claim, inside):
            moved += [(at + i, j) for i, j in inside]
            gaps += _gaps(gap.claim, evidence, inside)
        else:
            gaps.append(gap)
    return Alignment(pairs, moved, gaps)


def _position(claim: Sequence[Token], gap: Gap, at: int) -> int:
    """Return where a gap's tokens stand in the claim, from `at` on; they are the claim's own objects."""
    if not gap.claim:
        return at
    while claim[at] is not gap.claim[0]:
        at += 1
    return at


def _is_clause(tokens: Sequence[Token], pairs: Sequence[tuple[int, int]]) -> bool:
    """Return whether the partners are a clause said elsewhere: most of the tokens, close together, not names alone."""
    if len(pairs) < 2 or 3 * len(pairs) < 2 * len(tokens):
        return False
    words = sum(tokens[i].kind <= Kind.NEGATION for i, _ in pairs)
    return words >= 1 and len(pairs) + words >= 4 and pairs[-1][1] - pairs[0][1] < 2 * len(pairs) + 2


def _gaps(claim: Sequence[Token], evidence: Sequence[Token], pairs: Sequence[tuple[int, int]]) -> list[Gap]:
    gaps: list[Gap] = []
    before = (-1, -1)
    for pair in [*pairs, (len(claim), len(evidence))]:
        left, right = claim[before[0] + 1 : pair[0]], evidence[before[1] + 1 : pair[1]]
        inner = before[0] >= 0 and pair[0] < len(claim)
        if not inner:
            reach = 2 + len(left)
            right = right[-reach:] if before[0] < 0 and pairs else right[:reach]
        if left or right:
            gaps.append(Gap(left, right, inner))
        before = pair
    return gaps


def _partners(claim: Sequence[Token], evidence: Sequence[Token]) -> list[tuple[int, int]]:
    keys = [token.key for token in evidence]
    width = len(keys)
    rows: list[list[float]] = [[0.0] * (width + 1)]
    for token in claim:
        gain, key = _GAIN[token.kind], token.key
        above = rows[-1]
        row = [0.0] * (width + 1)
        best = 0.0
        for j in range(width):
            up = above[j + 1]
            if keys[j] == key and above[j] + gain > up:
                up = above[j] + gain
            best = max(best, up)
            row[j + 1] = best
        rows.append(row)
    return _walked(claim, keys, rows)


def _walked(claim: Sequence[Token], keys: Sequence[str], rows: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    i, j = len(claim), len(keys)
    while i and j:
        if rows[i][j] == rows[i - 1][j]:
            i -= 1
        elif rows[i][j] == rows[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs.append((i, j))
    return pairs[::-1]
