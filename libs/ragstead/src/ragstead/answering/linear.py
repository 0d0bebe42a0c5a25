"""A linear model kept as plain numbers: named features, standardised, weighted, summed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import ConfigurationError

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LinearModel:
    """``score(x) = bias + sum(weights * (x - mean) / scale)`` over features of fixed names.

    Attributes:
        names: Feature names, the columns that `scores` expects.
        mean: Subtracted, float64 [len(names)].
        scale: Divided by, above 0, float64 [len(names)].
        weights: Float64 [len(names)].
        bias: Added to every score.
    """

    names: tuple[str, ...]
    mean: Floats
    scale: Floats
    weights: Floats
    bias: float = 0.0

    def __post_init__(self) -> None:
        """Check the shapes.

        Raises:
            ConfigurationError: If lengths differ, a scale is not above 0 or a number is not finite.
        """
        sizes = {len(self.names), self.mean.size, self.scale.size, self.weights.size}
        if len(sizes) != 1:
            raise ConfigurationError(f"a linear model needs as many numbers as names, got lengths {sorted(sizes)}")
        if not (self.scale > 0).all() or not np.isfinite([self.mean, self.scale, self.weights]).all():
            raise ConfigurationError("a linear model's scales must be above 0 and all its numbers finite")

    def scores(self, features: Floats) -> Floats:
        """Return one score a row of `features`, float64 [n, len(names)]; no rows give no scores."""
        scored: Floats = ((features - self.mean) / self.scale) @ self.weights + self.bias
        return scored

    def rescaled(self, slope: float, intercept: float) -> LinearModel:
        """Return the model whose score is ``slope * score + intercept``."""
        return LinearModel(self.names, self.mean, self.scale, slope * self.weights, slope * self.bias + intercept)

    def as_json(self) -> dict[str, object]:
        """Return plain numbers, rounded to six digits, that `linear_model` reads back."""
        rows = zip(self.names, self.mean, self.scale, self.weights, strict=True)
        table = {name: [round(float(number), 6) for number in numbers] for name, *numbers in rows}
        return {"bias": round(self.bias, 6), "features": table}


def linear_model(raw: Mapping[str, object], names: Sequence[str]) -> LinearModel:
    """Read a model from JSON: ``{"bias": b, "features": {name: [mean, scale, weight]}}``.

    Args:
        raw: The parsed JSON object.
        names: The features the code computes, in the order of its columns.

    Raises:
        ConfigurationError: If the JSON is of another shape, or its features are not exactly `names`.
    """
    table, bias = raw.get("features"), raw.get("bias", 0.0)
    if not isinstance(table, dict) or not isinstance(bias, int | float):
        raise ConfigurationError("a linear model needs the keys features and bias")
    if set(table) != set(names):
        raise ConfigurationError(f"the weights do not fit the code's features: {sorted(set(table) ^ set(names))}")
    numbers = np.array([table[name] for name in names], dtype=np.float64).reshape(len(names), 3)
    return LinearModel(tuple(names), numbers[:, 0], numbers[:, 1], numbers[:, 2], float(bias))
