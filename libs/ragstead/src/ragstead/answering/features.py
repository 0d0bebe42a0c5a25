"""Turns a question and the sentences retrieved for it into numbers that a linear model can weigh.

Every feature is cheap, bounded and defined for any text, also one that shares no word with the question.
Time and memory are linear in the text given.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from math import log, log1p

import numpy as np
from numpy.typing import NDArray

from ragstead.answering.answer_types import AnswerType, amount_held, expected_type, head_words
from ragstead.answering.terms import content_terms, stem
from ragstead.errors import ConfigurationError
from ragstead.sentences import UnitKind, segment

Floats = NDArray[np.float64]
MAX_QUESTION_CHARS = 2000
_ASKS_NAME = re.compile(r"\b(?:call|called|name|named|known|term|title|titled)\b")
_CALLED = re.compile(r"\b(?:called|known as|named|refer(?:red|s)? to as|termed|titled)\b", re.IGNORECASE)
_TYPED = [kind for kind in AnswerType if kind not in (AnswerType.OTHER, AnswerType.YES_NO)]


@dataclass(frozen=True, slots=True)
class TermCounts:
    """How many of a collection's chunks hold a term; terms it does not name are in none of them.

    ``document_frequency`` needs to name the question's terms only. An empty one with ``documents`` 0 means
    unknown: every term then weighs alike.
    """

    document_frequency: Mapping[str, int]
    documents: int

    def weight(self, term: str) -> float:
        """Return the inverse document frequency of `term` scaled to 0..1, so that it compares between collections."""
        if self.documents <= 0:
            return 0.7
        seen = self.document_frequency.get(term, 0)
        return min(1.0, log(1 + (self.documents - seen + 0.5) / (seen + 0.5)) / log(2 * self.documents + 3))


@dataclass(frozen=True, slots=True)
class Passage:
    """A retrieved passage: its text, how it was found, best first in the list it comes in."""

    text: str
    title: str
    cosine: float
    bm25: float
    document_id: str = ""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """One sentence of a passage: ``passages[passage].text[start:end]``."""

    passage: int
    position: int
    start: int
    end: int
    text: str
    kind: UnitKind


@dataclass(frozen=True, slots=True)
class Question:
    """What is read off a question once."""

    text: str
    terms: tuple[str, ...]
    weights: Mapping[str, float]
    expected: AnswerType
    heads: frozenset[str]
    bigrams: frozenset[tuple[str, str]]
    asks_name: bool
    mass: float

    def share(self, held: Collection[str]) -> float:
        """Share in 0..1 of the weight of the question's terms that those in `held` carry."""
        return sum(self.weights[term] for term in held) / self.mass


def read_question(text: str, statistics: TermCounts) -> Question:
    """Read `text` once: its terms, their weights and the kind of answer it asks for. Only 2,000 characters are read."""
    text = text[:MAX_QUESTION_CHARS]
    terms = tuple(content_terms(text))
    heads = frozenset(stem(word) for word in head_words(text.lower()))
    bigrams = frozenset(itertools.pairwise(terms))
    weights = {term: statistics.weight(term) for term in terms}
    asks_name = bool(_ASKS_NAME.search(text.lower()))
    mass = sum(weights.values()) or 1e-9
    return Question(text, terms, weights, expected_type(text), heads, bigrams, asks_name, mass)


def candidates(passages: Sequence[Passage]) -> list[Candidate]:
    """Return the sentences of `passages` that can be quoted, in order; markup is left out."""
    found: list[Candidate] = []
    for index, passage in enumerate(passages):
        units = [unit for unit in segment(passage.text) if unit.kind is not UnitKind.MARKUP]
        for position, unit in enumerate(units):
            text = passage.text[unit.start : unit.end]
            found.append(Candidate(index, position, unit.start, unit.end, text, unit.kind))
    return found


COSINE_FEATURES = ("cosine", "cosine_gap", "cosine_rank", "cosine_in_passage", "cosine_before", "cosine_after")
LEXICAL_FEATURES = (
    *("p_cosine", "p_bm25", "p_cosine_gap", "p_bm25_gap", "p_rank", "p_first"),
    *(
        "overlap",
        "overlap_title",
        "overlap_previous",
        "overlap_next",
        "overlap_gap",
        "precision",
        "bigrams",
        "best_term",
    ),
    *("novel", "length", "first", "position", "heading", "list", "code", "question_mark", "nearness", "head_noun"),
    *("after_best", "names_it"),
    *(f"has_{kind.value}" for kind in _TYPED),
    *(f"lacks_{kind.value}" for kind in _TYPED),
    *("p_overlap", "p_overlap_gap"),
)
FEATURES = (*LEXICAL_FEATURES, *COSINE_FEATURES)


@dataclass(frozen=True, slots=True)
class _Parsed:
    """One candidate's words, seen from the question."""

    stems: list[str]
    held: frozenset[str]
    overlap: float


def _parse(question: Question, candidate: Candidate) -> _Parsed:
    stems = content_terms(candidate.text)
    held = frozenset(question.weights.keys() & set(stems))
    return _Parsed(stems, held, question.share(held))


def lexical_features(question: Question, passages: Sequence[Passage], found: Sequence[Candidate]) -> Floats:
    """Return what words and ranks say of every candidate, float64 [len(found), len(LEXICAL_FEATURES)].

    Args:
        question: From `read_question`.
        passages: Best first.
        found: All candidates of these passages, in order: a sentence is seen beside its neighbours.
    """
    if not found:
        return np.zeros((0, len(LEXICAL_FEATURES)))
    seen = _Seen(question, passages, found, [_parse(question, candidate) for candidate in found])
    return np.hstack([part(seen) for part in _LEXICAL_PARTS])


@dataclass(frozen=True, slots=True)
class _Seen:
    """Everything the columns are computed from."""

    question: Question
    passages: Sequence[Passage]
    found: Sequence[Candidate]
    parsed: Sequence[_Parsed]

    def neighbour(self, i: int, step: int) -> frozenset[str]:
        """Question terms held by the sentence before (-1) or after (+1) candidate `i`; empty where it was left out."""
        j = i + step
        if not 0 <= j < len(self.found) or not _adjoins(self.found[i], self.found[j], step):
            return frozenset()
        return self.parsed[j].held


def _adjoins(one: Candidate, other: Candidate, step: int) -> bool:
    return other.passage == one.passage and other.position == one.position + step


def _passage_columns(seen: _Seen) -> Floats:
    top_cosine = max(passage.cosine for passage in seen.passages)
    top_bm25 = max(passage.bm25 for passage in seen.passages)
    rows = [
        [
            passage.cosine,
            passage.bm25 / (passage.bm25 + 10.0),
            top_cosine - passage.cosine,
            1 - passage.bm25 / (top_bm25 + 1e-9),
            1 / (1 + rank),
            float(rank == 0),
        ]
        for rank, passage in enumerate(seen.passages)
    ]
    return np.array(rows)[[candidate.passage for candidate in seen.found]]


def _overlap_columns(seen: _Seen) -> Floats:
    question = seen.question
    titles = [frozenset(content_terms(passage.title)) & question.weights.keys() for passage in seen.passages]
    best = max(part.overlap for part in seen.parsed)
    rows = []
    for i, (candidate, part) in enumerate(zip(seen.found, seen.parsed, strict=True)):
        with_title = part.held | titles[candidate.passage]
        pairs = set(zip(part.stems, part.stems[1:], strict=False)) & question.bigrams
        rows.append(
            [
                part.overlap,
                question.share(with_title),
                question.share(with_title | seen.neighbour(i, -1)),
                question.share(with_title | seen.neighbour(i, 1)),
                best - part.overlap,
                len(part.held) / (3 + len(set(part.stems))),
                len(pairs) / (1 + len(question.bigrams)),
                max((question.weights[term] for term in part.held), default=0.0),
            ]
        )
    return np.array(rows)


def _shape_columns(seen: _Seen) -> Floats:
    best = max(range(len(seen.found)), key=lambda i: seen.parsed[i].overlap)
    leader = seen.found[best]
    return np.array(
        [
            [
                *_shape(seen.question, candidate, part),
                float(_adjoins(leader, candidate, 1)),
                _names_it(seen.question, candidate),
            ]
            for candidate, part in zip(seen.found, seen.parsed, strict=True)
        ]
    )


def _shape(question: Question, candidate: Candidate, part: _Parsed) -> list[float]:
    return [
        log1p(len(set(part.stems) - part.held)),
        log1p(len(part.stems)),
        float(candidate.position == 0),
        1 / (1 + candidate.position),
        float(candidate.kind is UnitKind.HEADING),
        float(candidate.kind in (UnitKind.LIST_ITEM, UnitKind.TABLE_ROW)),
        float(candidate.kind is UnitKind.CODE),
        float(candidate.text.endswith("?")),
        _nearness(question, part),
        float(not question.heads.isdisjoint(part.stems)),
    ]


def _names_it(question: Question, candidate: Candidate) -> float:
    """1 where the question asks what something is called and the sentence says that something is called so."""
    return float(question.asks_name and bool(_CALLED.search(candidate.text)))


def _nearness(question: Question, part: _Parsed) -> float:
    """Share of neighbouring held terms that stand within three content words of each other."""
    places = [i for i, term in enumerate(part.stems) if term in part.held]
    near = sum(b - a <= 3 for a, b in itertools.pairwise(places))
    return near / max(1, len(part.stems), len(question.terms) - 1)


def _type_columns(seen: _Seen) -> Floats:
    rows = np.zeros((len(seen.found), 2 * len(_TYPED)))
    expected = seen.question.expected
    if expected in _TYPED:
        column = _TYPED.index(expected)
        for i, candidate in enumerate(seen.found):
            score = amount_held(expected, candidate.text, seen.question.weights.keys())
            rows[i, column], rows[i, len(_TYPED) + column] = score, float(score == 0)
    return rows


def _coverage_columns(seen: _Seen) -> Floats:
    held = [frozenset(content_terms(f"{passage.title} {passage.text}")) for passage in seen.passages]
    cover = np.array([seen.question.share(terms & seen.question.weights.keys()) for terms in held])
    return np.column_stack([cover, cover.max() - cover])[[candidate.passage for candidate in seen.found]]


_LEXICAL_PARTS = (_passage_columns, _overlap_columns, _shape_columns, _type_columns, _coverage_columns)


def cosine_features(found: Sequence[Candidate], cosines: Floats) -> Floats:
    """Return what the question's cosines with `found` say of each, float64 [len(found), len(COSINE_FEATURES)].

    Raises:
        ConfigurationError: If there are not as many cosines as candidates.
    """
    if len(cosines) != len(found):
        raise ConfigurationError(f"{len(cosines)} cosines for {len(found)} candidates")
    if not found:
        return np.zeros((0, len(COSINE_FEATURES)))
    order = np.argsort(np.argsort(-cosines, kind="stable"), kind="stable")
    owner = np.array([candidate.passage for candidate in found])
    best = np.full(int(owner.max()) + 1, -1.0)
    np.maximum.at(best, owner, cosines)
    floor = float(cosines.min())
    before = [_beside(found, cosines, i, -1, floor) for i in range(len(found))]
    after = [_beside(found, cosines, i, 1, floor) for i in range(len(found))]
    gap = cosines.max() - cosines
    return np.column_stack([cosines, gap, 1 / (1 + order), best[owner] - cosines, before, after])


def _beside(found: Sequence[Candidate], cosines: Floats, i: int, step: int, default: float) -> float:
    j = i + step
    known = 0 <= j < len(found) and _adjoins(found[i], found[j], step)
    return float(cosines[j]) if known else default
