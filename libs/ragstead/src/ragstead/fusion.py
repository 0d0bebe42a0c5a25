"""Two lists of scores to one ranking."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import InvalidRequest
from ragstead.model import Strategy
from ragstead.ports.vector_index import Scores

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
        method: `convex` scales each side by its bounds, `convex-minmax` over the candidates; `rrf` adds reciprocal
            ranks.
        alpha: Weight of the dense side of the convex ones, in [0, 1]; more means meaning over words.
        rrf_k: The constant of reciprocal rank fusion.
    """

    method: Literal["convex", "convex-minmax", "rrf"] = "convex"
    alpha: float = 0.5
    rrf_k: int = 60


def fuse(candidates: Candidates, strategy: Strategy, plan: FusionPlan, *, attainable: float) -> Candidates:
    """Return the candidates ranked by the strategy, best first; ties by ascending key.

    Args:
        candidates: With both scores each.
        strategy: `dense` and `lexical` rank by one side alone.
        plan: How both sides become one.
        attainable: The BM25 score that no text can pass for the query.
    """
    cosine, bm25 = candidates.cosine, candidates.bm25
    if strategy is Strategy.DENSE:
        fused = cosine
    elif strategy is Strategy.LEXICAL:
        fused = bm25
    elif plan.method == "rrf":
        fused = reciprocal_rank_fusion(cosine, bm25, k=plan.rrf_k)
    elif plan.method == "convex":
        fused = convex_combination(cosine, over_bound(bm25, attainable), alpha=plan.alpha)
    else:
        fused = convex_combination(min_max(cosine), over_bound(bm25, bm25.max(initial=0.0)), alpha=plan.alpha)
    order = np.lexsort((candidates.keys, -fused))
    return Candidates(candidates.keys[order], cosine[order], bm25[order], np.asarray(fused)[order])


def contenders(
    cosine: Scores, bm25: Scores, plan: FusionPlan, *, attainable: float, n: int, asked: int
) -> frozenset[int]:
    """Return the keys that can be among the best `n` once each has both scores; all keys but for convex fusion.

    What a side did not return scores no higher there than the last that it did, so a key's fused score has an upper
    and a lower bound before the missing score is known, and one whose upper bound is below the `n` best lower bounds
    is out. The best `n` are exactly those of a fusion of all candidates (with an approximate vector index: but for a
    chunk that its search missed).

    Args:
        cosine: What the dense side returned.
        bm25: What BM25 returned.
        plan: How both become one.
        attainable: The BM25 score that no text can pass for the query.
        n: How many must be right.
        asked: How many each side was asked for; one that returned fewer has no more.

    Source: Fagin, Lotem, Naor, "Optimal aggregation algorithms for middleware", PODS 2001, section 8 (bounds without
    random access).
    """
    keys = list(cosine.keys() | bm25.keys())
    if plan.method != "convex" or len(keys) <= n:
        return frozenset(keys)
    highest_cosine = min(cosine.values()) if len(cosine) >= asked else 1.0
    highest_bm25 = min(bm25.values()) if len(bm25) >= asked else 0.0
    dense = np.array([cosine.get(key, np.nan) for key in keys])
    lexical = np.array([bm25.get(key, np.nan) for key in keys])

    def fused(missing_cosine: float, missing_bm25: float) -> FloatArray:
        whole = np.where(np.isnan(lexical), missing_bm25, lexical)
        return convex_combination(
            np.where(np.isnan(dense), missing_cosine, dense), over_bound(whole, attainable), alpha=plan.alpha
        )

    threshold = np.partition(fused(-1.0, 0.0), -n)[-n]
    kept = fused(highest_cosine, highest_bm25) >= threshold
    return frozenset(key for key, keep in zip(keys, kept.tolist(), strict=True) if keep)


def convex_combination(dense: FloatArray, lexical: FloatArray, *, alpha: float) -> FloatArray:
    """Return `alpha * dense + (1 - alpha) * lexical`.

    Scaled by their bounds (cosine as it is, BM25 by the attainable score) both sides keep their meaning between
    queries, and the sum does too; scaled over the candidates the best one is near 1 whatever the evidence.

    Args:
        dense: Shape `[n]`.
        lexical: Shape `[n]`, over the same candidates.
        alpha: Weight of the dense side, in [0, 1].

    Raises:
        InvalidRequest: If `alpha` is outside [0, 1].

    Source: Bruch, Gai, Ingber, TOIS 2023, arXiv:2210.11934, sections 3 and 4.
    """
    if not 0.0 <= alpha <= 1.0:
        raise InvalidRequest(f"alpha is {alpha} and must be in 0..1", param="alpha")
    return alpha * dense + (1.0 - alpha) * lexical


def reciprocal_rank_fusion(cosine: FloatArray, bm25: FloatArray, *, k: int = 60) -> FloatArray:
    """Return `1 / (k + rank)` summed over both sides, ranks from 1, ties in the order given; shape `[n]`.

    Source: Cormack, Clarke, Büttcher, SIGIR 2009.
    """
    return 1.0 / (k + _ranks(cosine)) + 1.0 / (k + _ranks(bm25))


def min_max(values: FloatArray) -> FloatArray:
    """Return the values scaled to [0, 1] over themselves; ones where all are equal. Shape `[n]`."""
    if not len(values):
        return values
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.ones_like(values)


def over_bound(values: FloatArray, bound: float) -> FloatArray:
    """Return values of 0 or more over their bound; zeros where the bound is 0. Shape `[n]`."""
    return values / bound if bound > 0 else np.zeros_like(values)


def _ranks(values: FloatArray) -> FloatArray:
    ranks = np.empty(len(values))
    ranks[np.argsort(-values, kind="stable")] = np.arange(1, len(values) + 1)
    return ranks
