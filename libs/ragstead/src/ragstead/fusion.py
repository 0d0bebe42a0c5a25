"""Two lists of scores to one ranking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import InvalidRequest
from ragstead.model import Strategy

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Candidates with both scores; arrays of shape `[n]` over the same rows.

    Attributes:
        keys: Chunk keys.
        cosine: In [-1, 1].
        bm25: 0 or more.
        fused: What they are ranked by; zeros until they are ranked.
    """

    keys: NDArray[np.int64]
    cosine: FloatArray
    bm25: FloatArray
    fused: FloatArray = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        if not len(self.keys) == len(self.cosine) == len(self.bm25):
            raise InvalidRequest(f"{len(self.keys)} keys, {len(self.cosine)} cosines, {len(self.bm25)} BM25 scores")


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """How the two sides become one list.

    Attributes:
        method: `convex`, or `rrf` for reciprocal ranks.
        alpha: Weight of the dense side of `convex`, in [0, 1]; more means meaning over words.
        rrf_k: The constant of reciprocal rank fusion.
    """

    method: Literal["convex", "rrf"] = "convex"
    alpha: float = 0.5
    rrf_k: int = 60


def fuse(candidates: Candidates, strategy: Strategy, plan: FusionPlan) -> Candidates:
    """Return the candidates ranked by the strategy, best first; ties by ascending key."""
    if strategy is Strategy.DENSE:
        fused = candidates.cosine
    elif strategy is Strategy.LEXICAL:
        fused = candidates.bm25
    elif plan.method == "rrf":
        fused = reciprocal_rank_fusion(candidates.cosine, candidates.bm25, k=plan.rrf_k)
    else:
        fused = convex_combination(candidates.cosine, candidates.bm25, alpha=plan.alpha)
    order = np.lexsort((candidates.keys, -fused))
    return Candidates(
        candidates.keys[order], candidates.cosine[order], candidates.bm25[order], np.asarray(fused)[order]
    )


def convex_combination(cosine: FloatArray, bm25: FloatArray, *, alpha: float) -> FloatArray:
    """Return `alpha * dense + (1 - alpha) * lexical`, each side scaled to [0, 1] over the candidates first.

    BM25 is divided by its maximum, as its minimum is 0 by definition; cosine is min-max scaled.

    Args:
        cosine: Shape `[n]`, in [-1, 1].
        bm25: Shape `[n]`, 0 or more, over the same candidates.
        alpha: Weight of the dense side, in [0, 1].

    Raises:
        InvalidRequest: If `alpha` is outside [0, 1].

    Source: Bruch, Gai, Ingber, TOIS 2023, arXiv:2210.11934, section 4.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InvalidRequest(f"alpha is {alpha} and must be in 0..1", param="alpha")
    return alpha * _min_max(cosine) + (1.0 - alpha) * _over_maximum(bm25)


def reciprocal_rank_fusion(cosine: FloatArray, bm25: FloatArray, *, k: int = 60) -> FloatArray:
    """Return `1 / (k + rank)` summed over both sides, ranks from 1, ties in the order given; shape `[n]`.

    Source: Cormack, Clarke, Büttcher, SIGIR 2009.
    """
    return 1.0 / (k + _ranks(cosine)) + 1.0 / (k + _ranks(bm25))


def _min_max(values: FloatArray) -> FloatArray:
    if not len(values):
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def _over_maximum(values: FloatArray) -> FloatArray:
    highest = values.max(initial=0.0)
    return values / highest if highest > 0 else np.zeros_like(values)


def _ranks(values: FloatArray) -> FloatArray:
    ranks = np.empty(len(values))
    ranks[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return ranks
