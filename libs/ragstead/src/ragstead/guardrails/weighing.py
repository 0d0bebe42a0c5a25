"""A logistic model kept as plain numbers: named features, standardised, weighted, summed, as a probability."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

from ragstead.errors import ConfigurationError

_STEEPEST = 30.0


@dataclass(frozen=True, slots=True)
class Weighing:
    """``p(x) = 1 / (1 + exp(-(bias + sum(weight * (x - mean) / scale))))`` over features of fixed names.

    Attributes:
        terms: (mean, weight / scale) of each feature, in the order of the names it was read for.
        bias: Added to the sum.
    """

    terms: tuple[tuple[float, float], ...]
    bias: float

    def log_odds(self, features: Sequence[float]) -> float:
        """Return the weighted sum of features, which come in the order of the names."""
        pairs = zip(features, self.terms, strict=True)
        return self.bias + sum((value - mean) * weight for value, (mean, weight) in pairs)

    def probability(self, features: Sequence[float]) -> float:
        """Return the same as a probability in (0, 1)."""
        return logistic(self.log_odds(features))


def logistic(log_odds: float) -> float:
    """Return the probability of log-odds, which count up to 30 either way."""
    return 1 / (1 + exp(-max(-_STEEPEST, min(_STEEPEST, log_odds))))


def read_weighing(raw: object, names: Sequence[str]) -> Weighing:
    """Read a model from JSON: ``{"bias": b, "features": {name: [mean, scale, weight]}}``.

    Raises:
        ConfigurationError: If it is of another shape, or its features are not exactly `names`.
    """
    table = raw.get("features") if isinstance(raw, Mapping) else None
    if not isinstance(raw, Mapping) or not isinstance(table, Mapping):
        raise ConfigurationError("a model's weights need the keys bias and features")
    if set(table) != set(names):
        raise ConfigurationError(f"the weights do not fit the code's features: {sorted(set(table) ^ set(names))}")
    terms = tuple((float(table[name][0]), float(table[name][2]) / float(table[name][1])) for name in names)
    return Weighing(terms, float(raw["bias"]))
