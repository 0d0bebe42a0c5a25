"""From the error rate that is chosen to the threshold, by hand and with the curve that is shipped."""

from itertools import pairwise
from pathlib import Path

import pytest

from ragstead.answering.threshold import CurvePoint, ErrorCurve, error_curve
from ragstead.bootstrap.blueprints import fitted_weights
from ragstead.bootstrap.refusal import refusal_threshold
from ragstead.errors import ConfigurationError
from ragstead.settings import Settings, load_settings

WEIGHTS = fitted_weights()

CURVE = ErrorCurve((CurvePoint(0.0, 1.0, 0.5), CurvePoint(0.2, 0.9, 0.4), CurvePoint(0.6, 0.5, 0.1)))


@pytest.mark.parametrize(
    ("answered", "threshold"), [(1.0, 0.0), (0.95, 0.0), (0.9, 0.2), (0.6, 0.2), (0.5, 0.6), (0.1, 0.6)]
)
def test_the_highest_threshold_that_answers_enough(answered: float, threshold: float) -> None:
    assert CURVE.keeping(answered) == threshold


@pytest.mark.parametrize(("error", "threshold"), [(0.9, 0.0), (0.5, 0.0), (0.45, 0.2), (0.4, 0.2), (0.1, 0.6)])
def test_the_lowest_threshold_within_the_error(error: float, threshold: float) -> None:
    assert CURVE.within(error) == threshold


def test_an_error_that_no_threshold_reaches_is_refused_with_the_least_that_was_measured() -> None:
    with pytest.raises(ConfigurationError, match=r"within 0\.05.*0\.1, with 50% of the answerable"):
        CURVE.within(0.05)


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [[0.1, 1.0, 0.5]],
        [[0.0, 0.9, 0.5], [0.1, 1.0, 0.4]],
        [[0.0, 1.0, 0.4], [0.1, 0.9, 0.5]],
        [[0.0, 1.0, 0.5], [0.0, 0.9, 0.4]],
        [[0.0, 1.0]],
        None,
    ],
)
def test_a_curve_that_is_none_is_refused(rows: object) -> None:
    with pytest.raises(ConfigurationError):
        error_curve({"curve": rows})


def threshold_of(settings: Settings) -> float:
    return refusal_threshold(settings.pipeline.answer, WEIGHTS)


def settings_of(tmp_path: Path, answer: str) -> Settings:
    config = tmp_path / "ragstead.yaml"
    config.write_text(f"pipeline: {{answer: {{{answer}}}}}", encoding="utf-8")
    return load_settings(config)


def test_by_default_nearly_all_answerable_questions_are_answered() -> None:
    curve = error_curve(WEIGHTS["support"])
    at = threshold_of(Settings())
    point = next(one for one in curve.points if one.threshold == at)
    assert point.answered >= 0.98
    assert 0 < at < 0.2


def test_a_lower_error_needs_more_support(tmp_path: Path) -> None:
    chosen = [threshold_of(settings_of(tmp_path, f"max_error: {error}")) for error in (0.45, 0.4, 0.3)]
    assert all(lower < higher for lower, higher in pairwise(chosen))
    curve = error_curve(WEIGHTS["support"])
    errors = {one.threshold: one.error for one in curve.points}
    assert [errors[at] <= error for at, error in zip(chosen, (0.45, 0.4, 0.3), strict=True)] == [True] * 3


def test_fewer_answers_need_more_support(tmp_path: Path) -> None:
    chosen = [threshold_of(settings_of(tmp_path, f"min_answered: {share}")) for share in (1.0, 0.9, 0.5)]
    assert all(lower < higher for lower, higher in pairwise(chosen))


def test_a_threshold_of_ones_own_stands_in_place_of_both(tmp_path: Path) -> None:
    assert threshold_of(settings_of(tmp_path, "min_support: 0.123, min_answered: 0.5")) == 0.123


def test_an_error_out_of_reach_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        threshold_of(settings_of(tmp_path, "max_error: 0.001"))
    assert caught.value.param == "pipeline.answer.max_error"


def test_two_rules_of_refusal_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="leave one of them null"):
        settings_of(tmp_path, "max_error: 0.3, min_support: 0.1")
