"""Figures that more than one of the tables needs."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def auc(scores: Floats, labels: Floats) -> float:
    """Return the area under the ROC curve, ties counting half: the Mann-Whitney statistic; labels are 0 or 1."""
    _, place, count = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    good = float(labels.sum())
    bad = len(labels) - good
    return float((ranks[labels > 0].sum() - good * (good + 1) / 2) / (good * bad))


def length_matched(lengths: Sequence[int], labels: Floats, seed: int = 0) -> list[int]:
    """Return indices of a sample with as many of either label in each band of lengths."""
    rng = random.Random(seed)  # noqa: S311  (a sample, no secret)
    kept: list[int] = []
    edges = (0, 10, 15, 20, 25, 30, 40, 60, 90, 10**9)
    for low, high in pairwise(edges):
        band = [i for i, n in enumerate(lengths) if low <= n < high]
        sides = [[i for i in band if bool(labels[i] > 0) == wanted] for wanted in (True, False)]
        n = min(map(len, sides))
        kept += [i for side in sides for i in rng.sample(side, n)]
    return kept
