"""Whether a probability is one, and what it is worth as a reason to refuse: pure functions over numpy vectors.

`probabilities` are those that the event happens, float64 [n] in [0, 1]; `outcomes` say whether it did, 0 or 1, [n].
The order of the questions never matters: ties are counted as if broken at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ragstead.errors import InvalidRequest

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Questions of neighbouring probabilities.

    Attributes:
        predicted: Mean of their probabilities, in [0, 1].
        observed: Share of them for which the event happened, in [0, 1].
        n: How many they are, at least 1.
    """

    predicted: float
    observed: float
    n: int


@dataclass(frozen=True, slots=True)
class RiskCoveragePoint:
    """What answering every question of at least this probability would have meant.

    Attributes:
        threshold: The lowest probability answered.
        coverage: Share of all questions answered, in (0, 1].
        risk: Share of the answered ones for which the event did not happen, in [0, 1].
    """

    threshold: float
    coverage: float
    risk: float


def reliability_bins(probabilities: ArrayLike, outcomes: ArrayLike, *, n_bins: int = 10) -> tuple[ReliabilityBin, ...]:
    """Return bins of equal numbers of questions, lowest probabilities first: the points of a reliability plot.

    The bin that gets one question more where n does not divide comes first, as with `numpy.array_split`. Fewer
    questions than bins give a bin each; none give no bin. Questions of one probability that a border cuts apart count
    with the share of events that all of them have.

    Raises:
        InvalidRequest: If the vectors do not fit the module's ranges, or `n_bins` is below 1.

    Source: Nguyen, O'Connor, EMNLP 2015, arXiv:1508.05154 (bins of equal mass).
    """
    if n_bins < 1:
        raise InvalidRequest(f"n_bins must be at least 1, got {n_bins}", param="n_bins")
    p, y = _checked(probabilities, outcomes)
    order = np.argsort(p, kind="stable")
    p, y = p[order], _shared_by_ties(p[order], y[order])
    parts = [part for part in np.array_split(np.arange(p.size), n_bins) if part.size]
    return tuple(ReliabilityBin(float(p[part].mean()), float(y[part].mean()), int(part.size)) for part in parts)


def expected_calibration_error(probabilities: ArrayLike, outcomes: ArrayLike, *, n_bins: int = 10) -> float:
    """``sum_b n_b / n * |predicted_b - observed_b|`` over bins of equal mass, in [0, 1]; 0 without questions.

    It is biased upwards: with few questions a bin, a perfect model has some too.

    Source: Naeini, Cooper, Hauskrecht, AAAI 2015.
    """
    bins = reliability_bins(probabilities, outcomes, n_bins=n_bins)
    n = sum(one.n for one in bins)
    return sum(one.n * abs(one.predicted - one.observed) for one in bins) / n if n else 0.0


def brier_score(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """``mean((p - y) ** 2)``, in [0, 1], lower is better; 0 without questions.

    Source: Brier, Monthly Weather Review 1950.
    """
    p, y = _checked(probabilities, outcomes)
    return float(np.mean((p - y) ** 2)) if p.size else 0.0


def roc_auc(scores: ArrayLike, outcomes: ArrayLike) -> float | None:
    """Probability that a question of outcome 1 scores above one of outcome 0; ties count half.

    `scores` are any finite numbers. None where either outcome is missing: the area is then not defined.

    Source: Mann, Whitney, 1947; equal to the area under the ROC curve (Hanley, McNeil, Radiology 1982).
    """
    s, y = _checked(scores, outcomes, probabilities=False)
    n_positive = int(y.sum())
    n_negative = y.size - n_positive
    if not n_positive or not n_negative:
        return None
    _, inverse, counts = np.unique(s, return_inverse=True, return_counts=True)
    mid_ranks = np.cumsum(counts) - (counts - 1) / 2
    total = float((mid_ranks[inverse] * y).sum())
    return (total - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def risk_coverage(probabilities: ArrayLike, outcomes: ArrayLike) -> tuple[RiskCoveragePoint, ...]:
    """Return a point for each distinct probability, highest first: coverage rises to 1. No questions give none.

    Source: El-Yaniv, Wiener, JMLR 2010.
    """
    p, y = _checked(probabilities, outcomes)
    if not p.size:
        return ()
    order = np.argsort(-p, kind="stable")
    p, wrong = p[order], np.cumsum(1.0 - y[order])
    ends = np.flatnonzero(np.append(p[1:] != p[:-1], True))
    answered = ends + 1.0
    columns = zip(p[ends].tolist(), (answered / p.size).tolist(), (wrong[ends] / answered).tolist(), strict=True)
    return tuple(RiskCoveragePoint(threshold, coverage, risk) for threshold, coverage, risk in columns)


def area_under_risk_coverage(probabilities: ArrayLike, outcomes: ArrayLike) -> float:
    """Mean over k = 1..n of the risk of answering the k most probable questions, in [0, 1], lower is better.

    Of questions with one probability, any number have the risk that all of them have in the mean. 0 without questions.

    Source: Geifman, El-Yaniv, NeurIPS 2017, arXiv:1705.08500.
    """
    p, y = _checked(probabilities, outcomes)
    if not p.size:
        return 0.0
    order = np.argsort(-p, kind="stable")
    wrong = 1.0 - _shared_by_ties(p[order], y[order])
    return float(np.mean(np.cumsum(wrong) / np.arange(1, p.size + 1)))


def isotonic_regression(values: ArrayLike, weights: ArrayLike | None = None) -> FloatArray:
    """Return the nearest vector (weighted least squares) that never falls, [n] to [n]: pools of equal values.

    Args:
        values: Any finite numbers, in the order in which they must not fall.
        weights: How much each counts, above 0; all alike where None.

    Raises:
        InvalidRequest: If the vectors are not of one length, or a weight is not above 0.

    Source: pool adjacent violators; Barlow et al., Statistical Inference under Order Restrictions, 1972.
    """
    y = np.asarray(values, dtype=np.float64)
    w = np.ones_like(y) if weights is None else np.asarray(weights, dtype=np.float64)
    if y.ndim != 1 or y.shape != w.shape or not (w > 0).all():
        raise InvalidRequest(f"isotonic regression takes vectors and weights above 0, got shapes {y.shape}, {w.shape}")
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(y.tolist(), w.tolist(), strict=True):
        mean, mass, size = value, weight, 1
        while pools and pools[-1][0] > mean:
            other, more, count = pools.pop()
            mean, mass, size = (mean * mass + other * more) / (mass + more), mass + more, size + count
        pools.append((mean, mass, size))
    return np.array([mean for mean, _, size in pools for _ in range(size)], dtype=np.float64)


def _checked(scores: ArrayLike, outcomes: ArrayLike, *, probabilities: bool = True) -> tuple[FloatArray, FloatArray]:
    s, y = np.asarray(scores, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if s.ndim != 1 or s.shape != y.shape:
        raise InvalidRequest(f"probabilities and outcomes must be vectors of one length, got {s.shape} and {y.shape}")
    if not np.isin(y, (0.0, 1.0)).all():
        raise InvalidRequest("outcomes must be 0 or 1", param="outcomes")
    if not np.isfinite(s).all() or (probabilities and ((s < 0) | (s > 1)).any()):
        raise InvalidRequest("probabilities must be in [0, 1] and scores finite", param="probabilities")
    return s, y


def _shared_by_ties(ordered: FloatArray, outcomes: FloatArray) -> FloatArray:
    """Each outcome as the mean over all of its tie: what a random order of the tie gives."""
    if not ordered.size:
        return outcomes
    owner = np.cumsum(np.append(0, ordered[1:] != ordered[:-1]))
    means: FloatArray = np.bincount(owner, outcomes) / np.bincount(owner)
    shared: FloatArray = means[owner]
    return shared
