"""Raw scores to probabilities that mean the same for every question, collection and strategy."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BM25_K1 = 1.2


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
    """A logistic model of relevance over raw scores.

    Attributes:
        intercept: Log-odds where all else is 0.
        cosine: Weight of the cosine.
        coverage: Weight of BM25 over the attainable BM25, in [0, 1].
        product: Weight of the two multiplied.
    """

    intercept: float
    cosine: float
    coverage: float
    product: float

    def probabilities(self, cosine: FloatArray, bm25: FloatArray, weights: TermWeights) -> FloatArray:
        """Return the probability in [0, 1] that each candidate is relevant; shapes `[n]`, as the inputs."""
        coverage = bm25 / weights.attainable if weights.attainable else np.zeros_like(bm25)
        log_odds = self.intercept + self.cosine * cosine + self.coverage * coverage + self.product * cosine * coverage
        return np.asarray(1.0 / (1.0 + np.exp(-log_odds)), dtype=np.float64)


def falling(values: FloatArray) -> FloatArray:
    """Return the nearest list (least squares) that never rises: pools of equal values where `values` rises.

    Shape `[n]` to `[n]`. Pool-adjacent-violators: Barlow et al., Statistical Inference under Order Restrictions, 1972.
    """
    pools: list[tuple[float, int]] = []
    for value in values.tolist():
        mean, size = float(value), 1
        while pools and pools[-1][0] < mean:
            other, count = pools.pop()
            mean, size = (mean * size + other * count) / (size + count), size + count
        pools.append((mean, size))
    return np.array([mean for mean, size in pools for _ in range(size)], dtype=np.float64)


DEFAULT_RELEVANCE = Relevance(-6.0, 8.0, 4.0, 0.0)
