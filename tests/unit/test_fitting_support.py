"""Cross-fitting on made-up tables: what is held out is held out, and probabilities come out calibrated."""

import json

import numpy as np
import pytest
from evals.fitting.answering import written
from evals.fitting.support import (
    SupportData,
    Table,
    curve,
    figures,
    out_of_fold,
    platt,
    reliability,
    sigmoid,
)

from ragstead.answering.support_features import FINE_FEATURES, TOPIC_FEATURES
from ragstead.answering.threshold import error_curve
from ragstead.calibration import expected_calibration_error

WIDTH = len({*TOPIC_FEATURES, *FINE_FEATURES})
LAST = WIDTH - 1  # a column that the fine model alone reads


def made_up(*, shifted: int | None = None, n: int = 1200) -> SupportData:
    """Questions in four folds whose last column tells the answerable ones; in fold `shifted` it tells the opposite."""
    rng = np.random.default_rng(3)
    answerable = (rng.random(n) < 0.5).astype(np.float64)
    folds = np.arange(n) % 4
    features = rng.normal(size=(n, WIDTH))
    sign = np.where(folds == shifted, -1.0, 1.0) if shifted is not None else np.ones(n)
    features[:, LAST] += sign * 1.5 * (answerable - 0.5)
    features[:, 0] += 4.0
    off = rng.normal(size=(200, WIDTH))
    off[:, 0] -= 4.0
    hard = Table(features, folds)
    sets = [(hard, True, 1.0), (Table(off, np.full(200, -1)), False, 1.0)]
    return SupportData(sets, hard, answerable)


def test_out_of_fold_probabilities_are_calibrated_and_tell_the_kinds_apart() -> None:
    found = out_of_fold(made_up())
    assert figures(found)["auc"] > 0.8
    assert expected_calibration_error(found.probabilities(), found.answerable) < 0.06
    assert sum(n for _, _, n in reliability(found)) == pytest.approx(
        2 * min(found.answerable.sum(), (1 - found.answerable).sum())
    )


def test_a_fold_is_judged_by_models_that_have_not_seen_it() -> None:
    plain, odd = out_of_fold(made_up()), out_of_fold(made_up(shifted=2))
    held = odd.folds == 2
    right = np.corrcoef(odd.score[~held], odd.answerable[~held])[0, 1]
    wrong = np.corrcoef(odd.score[held], odd.answerable[held])[0, 1]
    assert right > 0.3
    assert wrong < -0.3  # what it learned from the others is the opposite of what holds here
    assert np.corrcoef(plain.score[held], plain.answerable[held])[0, 1] > 0.3


def test_the_same_tables_give_the_same_figures() -> None:
    assert figures(out_of_fold(made_up())) == figures(out_of_fold(made_up()))


def test_the_curve_is_one_that_thresholds_can_be_read_from() -> None:
    rows = error_curve({"curve": curve(out_of_fold(made_up()))})
    assert rows.points[0].answered == 1.0
    assert rows.points[0].error == pytest.approx(0.5)
    assert rows.points[-1].error < 0.2


def test_platt_calibration_undoes_a_stretch() -> None:
    rng = np.random.default_rng(5)
    truth = rng.normal(size=20_000)
    labels = (rng.random(20_000) < sigmoid(truth)).astype(np.float64)
    slope, intercept = platt(3.0 * truth + 2.0, labels)
    assert slope == pytest.approx(1 / 3, rel=0.1)
    assert intercept == pytest.approx(-2 / 3, rel=0.15)


def test_weights_are_written_with_a_row_on_a_line_and_read_back_the_same() -> None:
    value = {"a": {"x": [1, 2.5, 3]}, "rows": [[0.0, 1.0], [0.1, 0.9]], "note": "n", "none": []}
    text = written(value)
    assert json.loads(text) == value
    assert '  "x": [1, 2.5, 3]\n' in text
