"""How a claim differs from the evidence, as numbers that a small model weighs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from ragstead.guardrails.groundedness.alignment import Alignment, Gap, align
from ragstead.guardrails.groundedness.tokens import Kind, Token, opposes, tokens_of

DIFFERENCES = (
    "numbers_absent", "names_absent", "apart", "swapped_names", "swapped_numbers", "swapped_words", "negation_added",
    "negation_dropped", "qualifier_changed", "opposed", "contiguous", "stretched", "exchanged", "share_apart", "verbatim",
)  # fmt: skip
"""Names of the numbers that `differences` returns, in order."""

_SENTENCE = re.compile(r"(?<=[.!?。！？])[\"”')\]]*\s+|\n+")
_WEIGHT = {Kind.WORD: 1.0, Kind.QUALIFIER: 0.5, Kind.NEGATION: 0.3, Kind.NAME: 1.5, Kind.NUMBER: 1.5}
_PLACING = {Kind.WORD: 1.0, Kind.QUALIFIER: 0.5, Kind.NEGATION: 0.3, Kind.NAME: 0.8, Kind.NUMBER: 0.8}
"""What a token weighs where the sentence is looked for: the words say of what, the names and numbers what is checked."""
_MOST_CLAIM, _MOST_WINDOW = 60, 90
_NEAR = 4
_STRETCH = 8
_REPLACED = 3


@lru_cache(maxsize=512)
def _sentences(passage: str) -> tuple[tuple[Token, ...], ...]:
    found = (tuple(tokens_of(sentence)) for sentence in _SENTENCE.split(passage))
    return tuple(tokens for tokens in found if tokens)


def differences(claim: str, passages: Sequence[str]) -> list[float]:
    """Return the numbers named by `DIFFERENCES`; a claim that stands in a passage as it is has `contiguous` and `verbatim` 1, all else 0."""
    if _is_verbatim(claim, passages):
        return [float(name in ("contiguous", "verbatim")) for name in DIFFERENCES]
    said = tokens_of(claim)[:_MOST_CLAIM]
    known = {token.key for passage in passages for sentence in _sentences(passage) for token in sentence}
    window = _window(said, passages)
    aligned = align(said, window)
    partners = {i for i, _ in (*aligned.pairs, *aligned.moved)}
    return [
        *_left_out(said, partners, known),
        *_swaps(aligned.gaps),
        *_negations(aligned.gaps),
        *_qualifiers(aligned.gaps),
        _contiguity(aligned),
        _stretched(said, aligned.pairs),
        _exchanged(said, window, aligned),
        _share_apart(said, partners),
        0.0,
    ]


def _is_verbatim(claim: str, passages: Sequence[str]) -> bool:
    """Return whether a passage has the claim's words in one piece, white space and closing punctuation aside."""
    words = " ".join(claim.split()).rstrip(" .!?;:,。！？")
    for passage in passages:
        text = " ".join(passage.split())
        at = text.find(words)
        if at >= 0 and not (text[at - 1 : at].isalnum() or text[at + len(words) : at + len(words) + 1].isalnum()):
            return True
    return False


def _window(said: Sequence[Token], passages: Sequence[str]) -> Sequence[Token]:
    """Return the sentence that shares most with the claim, with the neighbour that adds most."""
    wanted = {token.key: _PLACING[token.kind] for token in said}
    best: tuple[float, Sequence[Token]] = (-1.0, ())
    for passage in passages:
        sentences = _sentences(passage)
        alone = [_shared(wanted, sentence) for sentence in sentences]
        for i, sentence in enumerate(sentences):
            if alone[i] > best[0]:
                best = (alone[i], sentence)
            if i and alone[i] and alone[i - 1]:
                both = sentences[i - 1] + sentence
                score = _shared(wanted, both) - 0.6
                best = (score, both) if score > best[0] else best
    return best[1][:_MOST_WINDOW]


def _shared(wanted: dict[str, float], sentence: Sequence[Token]) -> float:
    keys = {token.key for token in sentence}
    return sum(weight for key, weight in wanted.items() if key in keys) - 0.004 * len(sentence)


def _left_out(said: Sequence[Token], partners: set[int], known: set[str]) -> list[float]:
    """Return how many numbers and names are nowhere in the evidence, and how many of both are there but elsewhere."""
    absent: Counter[Kind] = Counter()
    apart = 0
    for i, token in enumerate(said):
        if i not in partners and token.kind in (Kind.NAME, Kind.NUMBER):
            absent[token.kind] += token.key not in known
            apart += token.key in known
    return [float(min(2, n)) for n in (absent[Kind.NUMBER], absent[Kind.NAME], apart)]


def _swaps(gaps: Sequence[Gap]) -> list[float]:
    """Return how often a name, a number or a word stands where the evidence has another."""
    found = Counter(
        kind
        for gap in gaps
        for kind in (Kind.NAME, Kind.NUMBER, Kind.WORD)
        if len(gap.evidence) <= len(gap.claim) + _REPLACED
        and any(token.kind is kind for token in gap.claim)
        and any(token.kind is kind for token in gap.evidence)
    )
    return [float(min(2, found[kind])) for kind in (Kind.NAME, Kind.NUMBER, Kind.WORD)]


def _negations(gaps: Sequence[Gap]) -> list[float]:
    """Return whether the claim has a negation that the evidence has not there, and the other way round."""
    added = any(token.kind is Kind.NEGATION for gap in gaps for token in gap.claim)
    dropped = any(
        token.kind is Kind.NEGATION
        for gap in gaps
        if gap.inner and len(gap.evidence) <= _NEAR
        for token in gap.evidence
    )
    return [float(added), float(dropped)]


def _qualifiers(gaps: Sequence[Gap]) -> list[float]:
    changed = any(token.kind is Kind.QUALIFIER for gap in gaps for token in gap.claim)
    opposed = any(opposes(a.key, b.key) for gap in gaps for a in gap.claim for b in gap.evidence)
    return [float(changed), float(opposed)]


def _contiguity(aligned: Alignment) -> float:
    """Return the share of neighbouring partners that are neighbours in the evidence too."""
    pairs = aligned.pairs
    if len(pairs) < 2:
        return float(len(pairs))
    together = sum(b[1] - a[1] == 1 and b[0] - a[0] == 1 for a, b in pairwise(pairs))
    return together / (len(pairs) - 1)


def _stretched(said: Sequence[Token], pairs: Sequence[tuple[int, int]]) -> float:
    """Return how far a name or number stands in the evidence from what it stands beside in the claim; 1 is 8 tokens or more."""
    most = 0
    for at, (i, j) in enumerate(pairs):
        if said[i].kind in (Kind.NAME, Kind.NUMBER):
            beside = [pairs[n] for n in (at - 1, at + 1) if 0 <= n < len(pairs)]
            away = [abs(j - other) - abs(i - one) for one, other in beside]
            most = max(most, min(away, default=0))
    return min(1.0, most / _STRETCH)


def _exchanged(said: Sequence[Token], window: Sequence[Token], aligned: Alignment) -> float:
    """Return 1 where two names of the claim stand in the evidence the other way round, no clause having moved."""
    kept = [(i, j) for i, j in aligned.pairs if said[i].kind is Kind.NAME]
    known = {i for i, _ in (*aligned.pairs, *aligned.moved)}
    for i, token in enumerate(said):
        if token.kind is Kind.NAME and i not in known:
            places = [j for j, other in enumerate(window) if other.key == token.key]
            if places and all(any((i < a) != (j < b) for a, b in kept) for j in places):
                return 1.0
    return 0.0


def _share_apart(said: Sequence[Token], partners: set[int]) -> float:
    """Return the share of the claim without a partner, by weight."""
    whole = sum(_WEIGHT[token.kind] for token in said)
    return sum(_WEIGHT[token.kind] for i, token in enumerate(said) if i not in partners) / whole
