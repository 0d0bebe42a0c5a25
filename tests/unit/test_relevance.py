"""Calibrated scores: weights by hand, monotone down a list, in 0..1."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import isotonic_regression

from ragstead.relevance import falling, term_weights


def test_term_weights_by_hand() -> None:
    weights = term_weights(["rose", "rose", "thorn"], 10, {"rose": 2, "thorn": 0})
    assert weights.idf["rose"] == pytest.approx(math.log(1 + 8.5 / 2.5))
    assert weights.idf["thorn"] == pytest.approx(math.log(1 + 10.5 / 0.5))
    assert weights.attainable == pytest.approx(2 * weights.idf["rose"] * 2.2)  # no text has a thorn


def test_term_weights_of_an_empty_collection_are_defined() -> None:
    assert term_weights(["a"], 0, {"a": 0}).idf["a"] == pytest.approx(math.log(2))


def test_falling_pools_what_rises() -> None:
    assert falling(np.array([0.9, 0.2, 0.6, 0.1])) == pytest.approx([0.9, 0.4, 0.4, 0.1])


@given(hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(0, 1)))
def test_falling_is_the_isotonic_regression_of_scipy(values: np.ndarray) -> None:
    ours = falling(values)
    assert (np.diff(ours) <= 1e-12).all()
    if len(values):
        assert ours == pytest.approx(isotonic_regression(values, increasing=False).x)
