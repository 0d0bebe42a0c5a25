"""From the error rate that is chosen to the probability of support below which a question is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ragstead.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """What refusing below a threshold does; all in [0, 1].

    Attributes:
        threshold: The lowest `p_supported` that is answered.
        answered: Share of the answerable questions that are answered.
        error: Share of the answers given that nothing supports, where as many questions can be answered as can't.
    """

    threshold: float
    answered: float
    error: float


@dataclass(frozen=True, slots=True)
class ErrorCurve:
    """What each threshold does, as measured on questions that the models were not fitted on.

    Attributes:
        points: By rising threshold, the first at 0; neither `answered` nor `error` ever rises.
    """

    points: Sequence[CurvePoint]

    def __post_init__(self) -> None:
        """Check the order.

        Raises:
            ConfigurationError: If there is no point, the first is not at 0, or a column runs the wrong way.
        """
        if not self.points or self.points[0].threshold != 0:
            raise ConfigurationError("the curve of refusal must begin at the threshold 0")
        for lower, higher in pairwise(self.points):
            if not lower.threshold < higher.threshold or lower.answered < higher.answered or lower.error < higher.error:
                raise ConfigurationError(f"the curve of refusal runs the wrong way at the threshold {higher.threshold}")

    def keeping(self, answered: float) -> float:
        """Return the highest threshold at which at least this share of the answerable questions is answered."""
        return max((one.threshold for one in self.points if one.answered >= answered), default=0.0)

    def within(self, error: float) -> float:
        """Return the lowest threshold at which at most this share of the answers is unsupported.

        Raises:
            ConfigurationError: If no threshold that was measured reaches it; the message names the lowest error.
        """
        for one in self.points:
            if one.error <= error:
                return one.threshold
        last = self.points[-1]
        raise ConfigurationError(
            f"no threshold keeps unsupported answers within {error:g}: the least that was measured is {last.error:g}, "
            f"with {last.answered:.0%} of the answerable questions answered; choose {last.error:g} or more"
        )


def error_curve(raw: Mapping[str, object]) -> ErrorCurve:
    """Read a curve from parsed JSON: ``{"curve": [[threshold, answered, error], ...]}``.

    Raises:
        ConfigurationError: If it is of another shape, or runs the wrong way.
    """
    rows = raw.get("curve")
    if not isinstance(rows, list) or not all(isinstance(row, list) and len(row) == len(_COLUMNS) for row in rows):
        raise ConfigurationError("support weights need the key curve: rows of threshold, answered, error")
    return ErrorCurve(tuple(CurvePoint(*map(float, row)) for row in rows))


_COLUMNS = ("threshold", "answered", "error")
