"""Confidence intervals by the paired bootstrap: whole questions are drawn, with what both sides got on them.

Intervals are the percentile kind, ``[q(alpha / 2), q(1 - alpha / 2)]`` of the statistic over resamples of the same
number of questions, drawn with replacement. BCa is not used: most questions of two releases
differ by nothing at all, so that its acceleration hangs on the few that do, and where no resample differs it is not
defined; two equal sides must have the interval [0, 0]. For differences of means, whose distribution is nearly
symmetric, the two hardly part.

Source: Efron, Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13; paired, as Sakai, SIGIR 2006.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ragstead.errors import InvalidRequest

FloatArray = NDArray[np.float64]
_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True, slots=True)
class Resampling:
    """How resamples are drawn.

    Attributes:
        resamples: How many.
        confidence: Share of them that an interval holds, in (0, 1).
        seed: The same one draws the same ones.
    """

    resamples: int = 4000
    confidence: float = 0.95
    seed: int = 5

    def __post_init__(self) -> None:
        if self.resamples < 1 or not 0 < self.confidence < 1:
            raise InvalidRequest(f"{self.resamples} resamples at confidence {self.confidence} give no interval")


@dataclass(frozen=True, slots=True)
class Interval:
    """A statistic with its confidence interval; `low <= high`, and `value` is that of the questions themselves."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Weighted:
    """One side's values of a measure, float64 [n] by question, and what each counts with; 0 where it says nothing."""

    values: FloatArray
    weights: FloatArray


@dataclass(frozen=True, slots=True)
class Compared:
    """Two sides of one measure.

    Attributes:
        a: One side.
        b: The other, over the same questions.
        of_nothing: Mean of a side of which no question counts.
    """

    a: Weighted
    b: Weighted
    of_nothing: float

    def __post_init__(self) -> None:
        shape = self.a.values.shape
        if len(shape) != 1 or any(v.shape != shape for v in (self.a.weights, self.b.values, self.b.weights)):
            raise InvalidRequest("both sides must have values and weights for the same questions")


def differences_of_means(compared: Sequence[Compared], plan: Resampling) -> list[Interval]:
    """Interval of ``mean(a) - mean(b)``, both weighted, for each of several measures of the same questions.

    The same resamples serve all measures. Each side's mean is over the questions that count for it in the resample:
    measures such as the precision of refusals count other questions on each side. No questions give 0.

    Raises:
        InvalidRequest: If the measures are not over the same number of questions.
    """
    sizes = {one.a.values.size for one in compared}
    if len(sizes) > 1:
        raise InvalidRequest(f"measures are over different numbers of questions: {sorted(sizes)}")
    n = max(sizes, default=0)
    if n == 0:
        return [Interval(0.0, 0.0, 0.0) for _ in compared]
    values = [float(_difference(np.ones((1, n)), one)[0]) for one in compared]
    drawn: list[list[FloatArray]] = [[] for _ in compared]
    for counts in _counts(n, plan):
        for one, of_it in zip(compared, drawn, strict=True):
            of_it.append(_difference(counts, one))
    return [_interval(value, np.concatenate(of_it), plan) for value, of_it in zip(values, drawn, strict=True)]


def median(values: ArrayLike, plan: Resampling) -> Interval:
    """Interval of the median of one number for each question, float64 [n], n at least 1."""
    given = np.asarray(values, dtype=np.float64)
    generator = np.random.default_rng(plan.seed)
    block = max(1, _BLOCK_CELLS // given.size)
    drawn = []
    for start in range(0, plan.resamples, block):
        rows = min(block, plan.resamples - start)
        drawn.append(np.median(given[generator.integers(0, given.size, (rows, given.size))], axis=1))
    return _interval(float(np.median(given)), np.concatenate(drawn), plan)


def _counts(n: int, plan: Resampling) -> Iterator[FloatArray]:
    """How often each question is drawn in each resample, [resamples, n], in blocks that fit in memory."""
    generator = np.random.default_rng(plan.seed)
    block = max(1, _BLOCK_CELLS // n)
    for start in range(0, plan.resamples, block):
        rows = min(block, plan.resamples - start)
        cells = generator.integers(0, n, (rows, n)) + n * np.arange(rows)[:, None]
        yield np.bincount(cells.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _difference(counts: FloatArray, one: Compared) -> FloatArray:
    return _means(counts, one.a, one.of_nothing) - _means(counts, one.b, one.of_nothing)


def _means(counts: FloatArray, side: Weighted, of_nothing: float) -> FloatArray:
    total = counts @ side.weights
    with np.errstate(invalid="ignore", divide="ignore"):
        means: FloatArray = np.where(total > 0, (counts @ (side.values * side.weights)) / total, of_nothing)
    return means


def _interval(value: float, drawn: FloatArray, plan: Resampling) -> Interval:
    tail = (1 - plan.confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return Interval(value, low, high)
