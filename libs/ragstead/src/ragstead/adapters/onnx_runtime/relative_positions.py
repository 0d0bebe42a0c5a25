"""What MPNet adds to the attention logits: a learnt number for each head and bucket of distance.

Song, Tan, Qin, Lu, Liu 2020, arXiv:2004.09297, with the buckets of T5 (Raffel et al. 2020, arXiv:1910.10683): half of
them for tokens that follow; of each half one a distance up to 7, then logarithmically wider ones up to 128.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BUCKETS = 32
_FARTHEST = 128


def bucket(distance: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the bucket, 0 to 31, of each distance ``position of the key - position of the query``."""
    half = BUCKETS // 2
    exact = half // 2
    away = np.abs(distance)
    # In float32 as the models were trained: at powers of two the logarithms meet the border of a bucket.
    ratio = np.log(np.maximum(away, 1).astype(np.float32) / np.float32(exact)) / np.float32(np.log(_FARTHEST / exact))
    wide = np.minimum(exact + (ratio * np.float32(half - exact)).astype(np.int64), half - 1)
    return np.where(distance > 0, half, 0) + np.where(away < exact, away, wide)


def bias_by_distance(table: NDArray[np.float32], longest: int) -> NDArray[np.float32]:
    """Return the number of each head for distances ``-(longest - 1) … longest - 1``: shape `[heads, 2 longest - 1]`.

    Args:
        table: Of shape `[32, heads]`, by bucket.
        longest: Tokens of the longest row.
    """
    return np.ascontiguousarray(table[bucket(np.arange(1 - longest, longest, dtype=np.int64))].T)
