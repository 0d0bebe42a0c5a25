"""Raw scores to probabilities that mean the same for every question, collection and strategy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ragstead.calibration import isotonic_regression

FloatArray = NDArray[np.float64]
BM25_K1 = 1.2
MAX_TERMS = 20


@dataclass(frozen=True, slots=True)
class TermWeights:
    """How much each term of a query weighs in a collection.

    Attributes:
        n_texts: Number of texts in the collection's index.
        frequencies: Number of them that hold each term.
        idf: `ln(1 + (N - n + 0.5) / (n + 0.5))` by term, 0 or more; Lucene's form, never negative.
        counts: How often the query holds each.
    """

    n_texts: int = 0
    frequencies: Mapping[str, int] = field(default_factory=dict)
    idf: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def attainable(self) -> float:
        """BM25 score that a text would approach in which each term that the collection knows occurs without end."""
        known = ((term, count) for term, count in self.counts.items() if self.frequencies[term])
        return sum(self.idf[term] * count for term, count in known) * (BM25_K1 + 1)

    @property
    def unknown(self) -> float:
        """Share in [0, 1] of the query's idf that lies in terms no text holds; 0 for a query without terms."""
        whole = sum(self.idf[term] * count for term, count in self.counts.items())
        lost = sum(self.idf[t] * count for t, count in self.counts.items() if not self.frequencies[t])
        return lost / whole if whole else 0.0


def term_weights(terms: Sequence[str], n_texts: int, frequencies: Mapping[str, int]) -> TermWeights:
    """Return the weights of a query's terms from how many of `n_texts` hold each."""
    counts = Counter(terms)
    return TermWeights(
        n_texts,
        frequencies,
        {term: math.log1p((n_texts - frequencies[term] + 0.5) / (frequencies[term] + 0.5)) for term in counts},
        counts,
    )


@dataclass(frozen=True, slots=True)
class Relevance:
    """A logistic model of relevance over bounded scores; rises with the fused score of its list.

    Attributes:
        intercept: Log-odds where all else is 0.
        fused: Weight of a candidate's `alpha * cosine + (1 - alpha) * bm25 / attainable`.
        best: Weight of the highest of them for the query.
        unknown: Weight of the share of the query's idf that lies in terms no text holds, in [0, 1].
        length: Weight of `ln(1 + terms)`, of which 20 are counted.
        alpha: Weight of the cosine in the fused score that the model was fitted with.
    """

    intercept: float
    fused: float
    best: float
    unknown: float
    length: float
    alpha: float = 0.5

    def probabilities(self, cosine: FloatArray, bm25: FloatArray, weights: TermWeights) -> FloatArray:
        """Return the probability in [0, 1] that each candidate is relevant; shapes `[n]`, as the inputs."""
        if not len(cosine):
            return np.zeros(0)
        lexical = bm25 / weights.attainable if weights.attainable else np.zeros_like(bm25)
        fused = self.alpha * cosine + (1.0 - self.alpha) * lexical
        terms = min(sum(weights.counts.values()), MAX_TERMS)
        of_query = self.best * fused.max() + self.unknown * weights.unknown + self.length * math.log1p(terms)
        return np.asarray(1.0 / (1.0 + np.exp(-(self.intercept + self.fused * fused + of_query))), dtype=np.float64)


def falling(values: FloatArray) -> FloatArray:
    """Return the nearest list (least squares) that never rises, shape `[n]` to `[n]`: an isotonic regression."""
    return isotonic_regression(values[::-1])[::-1]
