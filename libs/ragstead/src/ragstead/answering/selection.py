"""Picks the one or two sentences of the evidence that answer a question.

Three steps, so that the caller owns the embedding in between and this module does no I/O:

1. `SentenceSelector.shortlist`: the sentences worth embedding, by their words alone;
2. the caller embeds their texts and takes the cosine of each with the question;
3. `SentenceSelector.rank`, then `choose`.

The probability of a sentence is conditional: that it holds the answer, given that one of those ranked does.
Whether
any does is `support.Support`'s to say. Fitted on English; other languages rest on overlap and cosine alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ragstead.answering.features import (
    FEATURES,
    LEXICAL_FEATURES,
    Candidate,
    Floats,
    Passage,
    Question,
    candidates,
    cosine_features,
    lexical_features,
)
from ragstead.answering.linear import LinearModel, linear_model
from ragstead.errors import ConfigurationError
from ragstead.sentences import UnitKind

_BOUNDARY = re.compile(r"[.!?][\"')\]]*\s+(?=[A-Z0-9\"'(])")
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class SelectionSettings:
    """How much to quote.

    Attributes:
        shortlist: Sentences embedded per question; more cost about 1.5 ms each on one core and find little
        more.
        max_sentences: 1 or 2.
        max_words: Two quotes that read as more than two sentences must keep within these words together.
        min_gain: A second sentence is added where its probability is at least this.
        max_unit_words: Longer units (code blocks, rows) are not quoted unless nothing else is there.
    """

    shortlist: int = 12
    max_sentences: int = 2
    max_words: int = 45
    min_gain: float = 0.015
    max_unit_words: int = 80


@dataclass(frozen=True, slots=True)
class Shortlist:
    """The sentences to embed, with what their words say: float64 [len(found), len(LEXICAL_FEATURES)]."""

    found: tuple[Candidate, ...]
    features: Floats

    @property
    def texts(self) -> list[str]:
        """What to embed, in order."""
        return [candidate.text for candidate in self.found]


@dataclass(frozen=True, slots=True)
class Ranked:
    """Candidates with what was computed of them, in the order they were given.

    Attributes:
        found: The candidates.
        features: Float64 [len(found), len(FEATURES)].
        cosines: Cosine with the question, float64 [len(found)].
        scores: Higher is better, comparable between questions, float64 [len(found)].
        probabilities: Softmax of `scores`: sums to 1.
    """

    found: tuple[Candidate, ...]
    features: Floats
    cosines: Floats
    scores: Floats
    probabilities: Floats


class SentenceSelector:
    """Scores sentences with two linear models: one over words alone, one over words and cosines."""

    def __init__(self, lexical: LinearModel, full: LinearModel) -> None:
        self._lexical = lexical
        self._full = full

    def shortlist(self, question: Question, passages: Sequence[Passage], limit: int) -> Shortlist:
        """Return the `limit` sentences of `passages` most likely to answer by their words alone, in order."""
        found = candidates(passages)
        return self.shortlist_of(found, lexical_features(question, passages, found), limit)

    def shortlist_of(self, found: Sequence[Candidate], features: Floats, limit: int) -> Shortlist:
        """Return the same of sentences whose `lexical_features` are known, float64 [len(found), n]."""
        kept = np.sort(np.argsort(-self._lexical.scores(features), kind="stable")[:limit])
        return Shortlist(tuple(found[i] for i in kept), features[kept])

    def rank(self, shortlist: Shortlist, cosines: Floats) -> Ranked:
        """Score a shortlist; `cosines` are those of the question with each of its texts, in [-1, 1]."""
        exact = np.asarray(cosines, dtype=np.float64)
        features = np.hstack([shortlist.features, cosine_features(shortlist.found, exact)])
        scores = self._full.scores(features)
        return Ranked(shortlist.found, features, exact, scores, _softmax(scores))


def sentence_selector(raw: Mapping[str, object]) -> SentenceSelector:
    """Read the selector's weights from parsed JSON: ``{"lexical": model, "full": model}``.

    Raises:
        ConfigurationError: If a model is missing or does not fit the features of this code.
    """
    lexical, full = raw.get("lexical"), raw.get("full")
    if not isinstance(lexical, dict) or not isinstance(full, dict):
        raise ConfigurationError("sentence weights need the keys lexical and full")
    return SentenceSelector(linear_model(lexical, LEXICAL_FEATURES), linear_model(full, FEATURES))


def choose(ranked: Ranked, settings: SelectionSettings) -> list[Candidate]:
    """Pick the best sentence, and a second where it adds enough and the two stay brief.

    A second sentence of the same passage is put in the document's order, one of another passage last. Ties
    go to
    the earlier candidate. Headings and overlong units are only quoted where there is nothing else.

    Returns:
        At most `settings.max_sentences` candidates; none where nothing was ranked.
    """
    order = _quotable(ranked, settings)
    if not order:
        return []
    first = ranked.found[order[0]]
    second = _second(ranked, order, settings) if settings.max_sentences > 1 else None
    if second is None:
        return [first]
    same = first.passage == second.passage
    return [second, first] if same and second.start < first.start else [first, second]


def is_brief(text: str, max_words: int) -> bool:
    """Whether `text` reads as at most two sentences, or has at most `max_words` words."""
    words = len(text.split())
    return words <= max_words or len(_BOUNDARY.findall(text)) <= 1


def _softmax(scores: Floats) -> Floats:
    if not scores.size:
        return scores
    powers = np.exp(scores - scores.max())
    result: Floats = powers / powers.sum()
    return result


def _quotable(ranked: Ranked, settings: SelectionSettings) -> list[int]:
    order = [int(i) for i in np.argsort(-ranked.scores, kind="stable")]
    fit = [i for i in order if _reads_well(ranked.found[i], settings.max_unit_words)]
    return fit or order


def _reads_well(candidate: Candidate, max_words: int) -> bool:
    return candidate.kind is not UnitKind.HEADING and len(candidate.text.split(None, max_words)) <= max_words


def _second(ranked: Ranked, order: Sequence[int], settings: SelectionSettings) -> Candidate | None:
    first = ranked.found[order[0]]
    for i in order[1:]:
        if ranked.probabilities[i] < settings.min_gain:
            return None
        other = ranked.found[i]
        if not _repeats(first, other) and is_brief(f"{first.text} {other.text}", settings.max_words):
            return other
    return None


def _repeats(first: Candidate, other: Candidate) -> bool:
    one, two = (_SPACES.sub(" ", candidate.text).casefold() for candidate in (first, other))
    return one in two or two in one
