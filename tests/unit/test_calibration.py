"""Reliability, risk against coverage, and isotonic regression: by hand, as properties, and against scipy."""

from random import Random

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ragstead.calibration import (
    RiskCoveragePoint,
    area_under_risk_coverage,
    brier_score,
    expected_calibration_error,
    isotonic_regression,
    reliability_bins,
    risk_coverage,
    roc_auc,
)
from ragstead.errors import InvalidRequest

SCORED = st.lists(st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.8, 1.0]), st.booleans()), min_size=1, max_size=40)


def test_bins_of_equal_mass_by_hand() -> None:
    bins = reliability_bins([0.9, 0.1, 0.3, 0.7, 0.8], [1, 0, 1, 1, 0], n_bins=2)
    assert [(one.predicted, one.observed, one.n) for one in bins] == [
        (pytest.approx(1.1 / 3), pytest.approx(2 / 3), 3),
        (pytest.approx(0.85), pytest.approx(0.5), 2),
    ]


def test_calibration_error_by_hand() -> None:
    error = expected_calibration_error([0.9, 0.1, 0.3, 0.7, 0.8], [1, 0, 1, 1, 0], n_bins=2)
    assert error == pytest.approx(3 / 5 * (2 / 3 - 1.1 / 3) + 2 / 5 * 0.35)


def test_a_border_through_a_tie_shares_its_outcomes() -> None:
    bins = reliability_bins([0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0], n_bins=2)
    assert [one.observed for one in bins] == [0.5, 0.5]


def test_fewer_questions_than_bins_give_a_bin_each_and_none_give_none() -> None:
    assert [one.n for one in reliability_bins([0.2, 0.6], [0, 1], n_bins=10)] == [1, 1]
    assert reliability_bins([], []) == ()
    assert expected_calibration_error([], []) == 0.0
    assert brier_score([], []) == 0.0
    assert risk_coverage([], []) == ()
    assert area_under_risk_coverage([], []) == 0.0


def test_brier_score_by_hand() -> None:
    assert brier_score([0.9, 0.2], [1, 1]) == pytest.approx((0.01 + 0.64) / 2)


def test_auc_by_hand_counts_a_tie_as_half() -> None:
    # 0.8 beats 0.1 and 0.5; 0.5 beats 0.1 and ties with 0.5: 3.5 of 4
    assert roc_auc([0.8, 0.5, 0.5, 0.1], [1, 1, 0, 0]) == pytest.approx(3.5 / 4)


def test_auc_without_one_of_the_outcomes_is_not_defined() -> None:
    assert roc_auc([0.1, 0.2], [1, 1]) is None
    assert roc_auc([], []) is None


def test_auc_takes_scores_of_any_size() -> None:
    assert roc_auc([-40.0, 7.5], [0, 1]) == 1.0


def test_risk_coverage_by_hand() -> None:
    points = risk_coverage([0.9, 0.6, 0.6, 0.2], [1, 0, 1, 0])
    assert points == (
        RiskCoveragePoint(0.9, 0.25, 0.0),
        RiskCoveragePoint(0.6, 0.75, pytest.approx(1 / 3)),
        RiskCoveragePoint(0.2, 1.0, 0.5),
    )


def test_area_under_risk_coverage_by_hand() -> None:
    # wrong answers so far, the tie shared: 0, 0.5, 1, 2
    assert area_under_risk_coverage([0.9, 0.6, 0.6, 0.2], [1, 0, 1, 0]) == pytest.approx((0 + 0.25 + 1 / 3 + 0.5) / 4)


def test_isotonic_regression_by_hand_with_weights() -> None:
    assert isotonic_regression([1.0, 3.0, 0.0, 4.0], [1.0, 1.0, 2.0, 1.0]) == pytest.approx([1.0, 1.0, 1.0, 4.0])


@pytest.mark.parametrize(
    ("probabilities", "outcomes"),
    [([0.5], [1, 0]), ([1.2], [1]), ([-0.1], [0]), ([float("nan")], [0]), ([0.5], [2]), ([[0.5]], [[1]])],
)
def test_what_is_no_probability_or_outcome_is_refused(probabilities: list[float], outcomes: list[int]) -> None:
    for measure in (reliability_bins, brier_score, risk_coverage, area_under_risk_coverage):
        with pytest.raises(InvalidRequest):
            measure(probabilities, outcomes)


def test_impossible_arguments_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="n_bins"):
        reliability_bins([0.5], [1], n_bins=0)
    with pytest.raises(InvalidRequest, match="weights above 0"):
        isotonic_regression([1.0, 2.0], [1.0, 0.0])
    with pytest.raises(InvalidRequest, match="shapes"):
        isotonic_regression([1.0, 2.0], [1.0])


@given(SCORED, st.randoms())
def test_no_measure_depends_on_the_order_of_the_questions(pairs: list[tuple[float, bool]], chance: Random) -> None:
    shuffled = list(pairs)
    chance.shuffle(shuffled)
    (p, y), (q, z) = zip(*pairs, strict=True), zip(*shuffled, strict=True)
    assert expected_calibration_error(p, y) == pytest.approx(expected_calibration_error(q, z))
    assert area_under_risk_coverage(p, y) == pytest.approx(area_under_risk_coverage(q, z))
    assert risk_coverage(p, y) == risk_coverage(q, z)


@given(SCORED)
def test_auc_is_the_statistic_of_mann_and_whitney(pairs: list[tuple[float, bool]]) -> None:
    positive = [p for p, y in pairs if y]
    negative = [p for p, y in pairs if not y]
    ours = roc_auc([p for p, _ in pairs], [y for _, y in pairs])
    if positive and negative:
        statistic = scipy.stats.mannwhitneyu(positive, negative, method="asymptotic").statistic
        assert ours == pytest.approx(statistic / (len(positive) * len(negative)))
    else:
        assert ours is None


@given(SCORED)
def test_the_whole_is_answered_at_the_lowest_threshold(pairs: list[tuple[float, bool]]) -> None:
    p, y = zip(*pairs, strict=True)
    points = risk_coverage(p, y)
    assert points[-1].coverage == 1.0
    assert points[-1].threshold == min(p)
    assert points[-1].risk == pytest.approx(1 - np.mean(y))
    for point in points:
        answered = [outcome for probability, outcome in pairs if probability >= point.threshold]
        assert point.coverage == pytest.approx(len(answered) / len(pairs))
        assert point.risk == pytest.approx(1 - np.mean(answered))


@given(
    hnp.arrays(np.float64, 20, elements=st.floats(-5, 5)),
    hnp.arrays(np.float64, 20, elements=st.floats(0.1, 5)),
)
def test_isotonic_regression_is_that_of_scipy(values: np.ndarray, weights: np.ndarray) -> None:
    ours = isotonic_regression(values, weights)
    assert (np.diff(ours) >= 0).all()
    assert ours == pytest.approx(scipy.optimize.isotonic_regression(values, weights=weights).x, abs=1e-9)
