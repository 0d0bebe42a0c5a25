"""From the error rate that the settings choose to the threshold of refusal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ragstead.answering.threshold import error_curve
from ragstead.errors import ConfigurationError
from ragstead.settings.pipeline import AnswerSettings


def refusal_threshold(answer: AnswerSettings, weights: Mapping[str, Any]) -> float:
    """Return the `p_supported` below which a question is refused.

    Args:
        answer: The threshold itself, or the error rate that it follows from.
        weights: What was fitted, the curve from threshold to error rate among it.

    Raises:
        ConfigurationError: If `max_error` is below every error that was measured.
    """
    if answer.min_support is not None:
        return answer.min_support
    curve = error_curve(weights["support"])
    if answer.max_error is None:
        return curve.keeping(answer.min_answered)
    try:
        return curve.within(answer.max_error)
    except ConfigurationError as error:
        raise ConfigurationError(str(error), param="pipeline.answer.max_error") from error
