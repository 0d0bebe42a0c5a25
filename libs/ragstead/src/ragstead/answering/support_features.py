"""Turns a question, its passages and its ranked sentences into the numbers that support is judged by.

Only absolute quantities: cosines, shares of the question's words, gaps between raw scores. Nothing is
scaled by the
best hit of the same query, which would look the same for good and for hopeless evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log, log1p

import numpy as np

from ragstead.answering.contrast_features import CONTRAST_FEATURES, Seen, contrast_features, seen
from ragstead.answering.features import FEATURES, Passage, Question, TermCounts
from ragstead.answering.selection import Ranked
from ragstead.answering.substitutions import SUBSTITUTION_FEATURES, Words, substitution_features
from ragstead.answering.terms import content_terms

_CONTEXT_CHARS = 250
_CLASSES = ("number", "name", "word")
_COLUMN = {name: column for column, name in enumerate(FEATURES)}
_TAKEN = (
    *("overlap", "overlap_title", "overlap_previous", "overlap_next", "bigrams", "nearness", "head_noun", "precision"),
    *("p_overlap", "best_term", "novel", "length", "p_cosine", "cosine"),
)

TOPIC_FEATURES = (
    *(
        "max_cosine",
        "mean_cosine",
        "bm25_norm",
        "max_passage_overlap",
        "max_overlap",
        "max_sentence_cosine",
        "overlap_title",
    ),
    *("unknown", "unknown_terms", "missing_max", "log_terms", "score", "bigrams", "nearness", "agree"),
)
FINE_FEATURES = (
    *(
        "score",
        "log_sum",
        "probability",
        "margin",
        "two_probability",
        "max_cosine",
        "mean_cosine",
        "cosine_gap",
        "cosine_spread",
    ),
    *("bm25_norm", "bm25_saturated", "bm25_gap", "agree", "max_sentence_cosine", "max_overlap", "max_passage_overlap"),
    *_TAKEN,
    *(
        f"{part}_{kind}"
        for kind in _CLASSES
        for part in ("asked", "not_in_passage", "not_in_sentence", "not_in_context")
    ),
    *("missing_max", "missing_max_context", "unknown", "unknown_terms", "log_terms", "mass", "mean_weight", "words"),
    *("has_type", "lacks_type"),
    *CONTRAST_FEATURES,
    *SUBSTITUTION_FEATURES,
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What support is judged from; `ranked` must not be empty."""

    question: Question
    counts: TermCounts
    passages: Sequence[Passage]
    ranked: Ranked

    @property
    def best(self) -> int:
        """Index of the best sentence; ties go to the first."""
        return int(np.argmax(self.ranked.scores))

    @property
    def passage(self) -> Passage:
        """The best sentence's passage."""
        return self.passages[self.ranked.found[self.best].passage]

    @property
    def sentence(self) -> str:
        """The best sentence."""
        return self.ranked.found[self.best].text

    @property
    def context(self) -> str:
        """The best sentence and what stands just before it."""
        chosen = self.ranked.found[self.best]
        return self.passage.text[max(0, chosen.start - _CONTEXT_CHARS) : chosen.end]


def support_features(evidence: Evidence) -> dict[str, float]:
    """Return every feature by name: all of `TOPIC_FEATURES` and `FINE_FEATURES`, finite for any text."""
    texts = seen(evidence.question.text, evidence.sentence, evidence.context, evidence.passage.text)
    return {
        **_retrieval(evidence),
        **_scores(evidence),
        **_taken(evidence),
        **_missing(evidence, texts),
        **_question(evidence),
        **contrast_features(texts),
        **substitution_features(texts.question, texts.words[0], evidence.question.weights, evidence.question.heads),
    }


def _retrieval(evidence: Evidence) -> dict[str, float]:
    cosines = sorted((passage.cosine for passage in evidence.passages), reverse=True)
    bm25 = sorted((passage.bm25 for passage in evidence.passages), reverse=True)
    most = 2.2 * evidence.question.mass * log(2 * max(1, evidence.counts.documents) + 3)
    return {
        "max_cosine": cosines[0],
        "mean_cosine": sum(cosines[:3]) / len(cosines[:3]),
        "cosine_gap": cosines[0] - cosines[min(1, len(cosines) - 1)],
        "cosine_spread": cosines[0] - sum(cosines) / len(cosines),
        "bm25_norm": min(1.0, bm25[0] / most),
        "bm25_saturated": bm25[0] / (10 + bm25[0]),
        "bm25_gap": (bm25[0] - bm25[min(1, len(bm25) - 1)]) / (bm25[0] + 1e-9),
        "agree": float(_argmax([p.bm25 for p in evidence.passages]) == _argmax([p.cosine for p in evidence.passages])),
    }


def _argmax(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _scores(evidence: Evidence) -> dict[str, float]:
    ranked = evidence.ranked
    order = np.sort(ranked.scores)[::-1]
    probabilities = np.sort(ranked.probabilities)[::-1]
    return {
        "score": float(order[0]),
        "log_sum": float(order[0] - np.log(probabilities[0])),
        "probability": float(probabilities[0]),
        "two_probability": float(probabilities[:2].sum()),
        "margin": float(order[0] - order[1]) if order.size > 1 else 3.0,
        "max_sentence_cosine": float(ranked.cosines.max()),
        "max_overlap": float(ranked.features[:, _COLUMN["overlap"]].max()),
        "max_passage_overlap": float(ranked.features[:, _COLUMN["p_overlap"]].max()),
    }


def _taken(evidence: Evidence) -> dict[str, float]:
    row = evidence.ranked.features[evidence.best]
    kind = evidence.question.expected.value
    found = {name: float(row[_COLUMN[name]]) for name in _TAKEN}
    typed = f"has_{kind}" in _COLUMN
    found["has_type"] = float(row[_COLUMN[f"has_{kind}"]]) if typed else 0.5
    found["lacks_type"] = float(row[_COLUMN[f"lacks_{kind}"]]) if typed else 0.0
    return found


def _classes(question: Words) -> dict[str, str]:
    """Content terms of a question by what they are: number, name (a capital inside the question) or word."""
    found: dict[str, str] = {}
    for place in question.content:
        word = question.written[place]
        plain = "name" if word[0].isupper() and place else "word"
        found.setdefault(question.stems[place], "number" if any(map(str.isdigit, word)) else plain)
    return found


def _missing(evidence: Evidence, texts: Seen) -> dict[str, float]:
    weights, title = evidence.question.weights, content_terms(evidence.passage.title)
    parts = zip(("sentence", "context", "passage"), texts.words, strict=True)
    held = {part: frozenset(words.terms).union(title) for part, words in parts}
    classes = _classes(texts.question)
    found: dict[str, float] = {}
    for kind in _CLASSES:
        asked = [term for term in weights if classes.get(term) == kind]
        found[f"asked_{kind}"] = float(len(asked))
        for part, terms in held.items():
            found[f"not_in_{part}_{kind}"] = _lost(asked, terms, weights)
    found["missing_max"] = max((weights[t] for t in weights if t not in held["passage"]), default=0.0)
    found["missing_max_context"] = max((weights[t] for t in weights if t not in held["context"]), default=0.0)
    return found


def _lost(asked: Sequence[str], held: frozenset[str], weights: Mapping[str, float]) -> float:
    return sum(weights[term] for term in asked if term not in held)


def _question(evidence: Evidence) -> dict[str, float]:
    question, counts = evidence.question, evidence.counts
    unknown = [t for t in question.weights if counts.documents and not counts.document_frequency.get(t)]
    return {
        "unknown": question.share(unknown),
        "unknown_terms": float(min(5, len(unknown))),
        "log_terms": log1p(len(question.weights)),
        "mass": min(20.0, question.mass),
        "mean_weight": question.mass / max(1, len(question.weights)),
        "words": log1p(len(question.text.split())),
    }
