"""Fusion: hand-computed cases, properties, and the order of ties."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ragstead.errors import InvalidRequest
from ragstead.fusion import (
    Candidates,
    FusionPlan,
    contenders,
    convex_combination,
    fuse,
    min_max,
    over_bound,
    reciprocal_rank_fusion,
)
from ragstead.model import Strategy
from ragstead.ports.vector_index import Scores

COSINES = hnp.arrays(np.float64, 7, elements=st.floats(-1, 1))
BM25 = hnp.arrays(np.float64, 7, elements=st.floats(0, 60))


def test_convex_combination_by_hand() -> None:
    fused = convex_combination(np.array([0.8, 0.2, 0.5]), over_bound(np.array([0.0, 10.0, 5.0]), 20.0), alpha=0.6)
    assert fused == pytest.approx([0.48, 0.32, 0.4])


def test_convex_combination_with_no_bm25_keeps_the_dense_order() -> None:
    fused = convex_combination(np.array([0.1, 0.9, 0.4]), over_bound(np.zeros(3), 0.0), alpha=0.5)
    assert np.argsort(-fused).tolist() == [1, 2, 0]


def test_scaling_nothing_gives_nothing() -> None:
    assert min_max(np.zeros(0)).shape == over_bound(np.zeros(0), 3.0).shape == (0,)


def test_min_max_of_equal_values_is_ones() -> None:
    assert min_max(np.array([0.3, 0.3])).tolist() == [1.0, 1.0]


def test_convex_combination_with_alpha_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"1\.5"):
        convex_combination(np.zeros(1), np.zeros(1), alpha=1.5)


@given(COSINES, BM25, st.floats(0, 1))
def test_min_max_combination_stays_in_0_to_1_and_rises_with_both_sides(
    cosine: np.ndarray, bm25: np.ndarray, alpha: float
) -> None:
    fused = convex_combination(min_max(cosine), over_bound(bm25, bm25.max()), alpha=alpha)
    assert (fused >= 0).all()
    assert (fused <= 1 + 1e-9).all()
    best = (cosine == cosine.max()) & (bm25 == bm25.max())
    assert (fused[best] >= fused.max() - 1e-9).all()


def test_reciprocal_rank_fusion_by_hand() -> None:
    fused = reciprocal_rank_fusion(np.array([0.9, 0.1, 0.5]), np.array([1.0, 3.0, 2.0]), k=60)
    assert fused == pytest.approx([1 / 61 + 1 / 63, 1 / 63 + 1 / 61, 2 / 62])


def candidates() -> Candidates:
    return Candidates(np.array([5, 3, 9]), np.array([0.5, 0.5, 0.9]), np.array([7.0, 7.0, 0.0]))


@pytest.mark.parametrize(
    ("strategy", "plan", "order"),
    [
        (Strategy.DENSE, FusionPlan(), [9, 3, 5]),
        (Strategy.LEXICAL, FusionPlan(), [3, 5, 9]),
        (Strategy.HYBRID, FusionPlan(alpha=0.9), [9, 3, 5]),
        (Strategy.HYBRID, FusionPlan(alpha=0.1), [3, 5, 9]),
        (Strategy.HYBRID, FusionPlan("convex-minmax", alpha=0.9), [9, 3, 5]),
        (Strategy.PREFILTER, FusionPlan("rrf"), [5, 9, 3]),
    ],
)
def test_fuse_ranks_by_its_strategy_and_breaks_ties_by_key(
    strategy: Strategy, plan: FusionPlan, order: list[int]
) -> None:
    assert fuse(candidates(), strategy, plan, attainable=20.0).keys.tolist() == order


def test_candidates_of_unequal_length_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        Candidates(np.array([1]), np.array([0.1, 0.2]), np.array([1.0]))


@given(
    hnp.arrays(np.float64, 30, elements=st.floats(-1, 1)),
    hnp.arrays(np.float64, 30, elements=st.floats(0, 60) | st.just(0.0)),
    st.integers(1, 30),
    st.integers(1, 30),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_contenders_hold_the_best_of_all_candidates(
    cosines: np.ndarray, bm25s: np.ndarray, n: int, asked: int, alpha: float
) -> None:
    def best(scores: np.ndarray, floor: float) -> Scores:
        ranked = sorted(range(30), key=lambda key: (-scores[key], key))[:asked]
        return {key: float(scores[key]) for key in ranked if scores[key] > floor}

    cosine, bm25, plan = best(cosines, -2.0), best(bm25s, 0.0), FusionPlan(alpha=alpha)

    def fused(among: frozenset[int]) -> list[int]:
        keys = np.array(sorted(among), dtype=np.int64)
        candidates = Candidates(keys, cosines[keys], bm25s[keys])
        return fuse(candidates, Strategy.HYBRID, plan, attainable=60.0).keys[:n].tolist()

    some = contenders(cosine, bm25, plan, attainable=60.0, n=n, asked=asked)
    assert fused(some) == fused(frozenset(cosine.keys() | bm25.keys()))


def test_contenders_leave_out_what_can_not_reach_the_best() -> None:
    cosine = {1: 0.9, 2: 0.8, 3: 0.2}
    bm25 = {1: 50.0, 2: 40.0, 4: 1.0}
    plan = FusionPlan()
    assert contenders(cosine, bm25, plan, attainable=60.0, n=2, asked=3) == {1, 2}
    assert contenders(cosine, bm25, plan, attainable=60.0, n=3, asked=3) == {1, 2, 3, 4}
    assert contenders(cosine, bm25, FusionPlan(method="rrf"), attainable=60.0, n=2, asked=3) == {1, 2, 3, 4}
    assert contenders(cosine, bm25, plan, attainable=60.0, n=2, asked=100) == {1, 2}
