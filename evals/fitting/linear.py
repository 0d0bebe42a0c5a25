"""Fits linear models by Newton's method in numpy: a listwise softmax and a weighted logistic regression."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ragstead.answering.linear import Floats, LinearModel

_MAX_STEPS = 60
_TOLERANCE = 1e-7


def listwise(
    blocks: Sequence[Floats],
    labels: Sequence[NDArray[np.bool_]],
    names: Sequence[str],
    *,
    l2: float,
    start: Floats | None = None,
) -> LinearModel:
    """Fit scores so that the softmax over each block puts its mass on the rows labelled true.

    Minimises ``-sum_b log(sum_{i in true(b)} softmax_b(i)) + l2/2 |w|^2`` over standardised features by damped Newton
    steps with the Hessian of the log partition, positive definite where the loss need not be convex. Blocks without
    a true row say nothing and are left out.

    Args:
        blocks: Features of the candidates of one question, float64 [n_b, d] each.
        labels: Which of them hold the answer, bool [n_b] each.
        names: The d features.
        l2: Ridge penalty, above 0.
        start: Weights to begin with, as of a fit to much the same blocks, which spares steps; zeros where None.
    """
    kept = [b for b, label in enumerate(labels) if label.any()]
    everything = np.vstack(list(blocks))
    mean, scale = everything.mean(axis=0), _scale(everything.std(axis=0))
    x = (np.vstack([blocks[b] for b in kept]) - mean) / scale
    y = np.concatenate([labels[b] for b in kept])
    sizes = np.array([len(blocks[b]) for b in kept])
    weights = _descend(x, y, sizes, l2, np.zeros(x.shape[1]) if start is None else start)
    return LinearModel(tuple(names), mean, scale, weights)


def _scale(spread: Floats) -> Floats:
    """Standard deviations, 1 for a feature that hardly varies: its weight must not explode where it does vary."""
    return np.where(spread < 1e-3, 1.0, spread)


def _descend(x: Floats, y: NDArray[np.bool_], sizes: NDArray[np.int64], l2: float, weights: Floats) -> Floats:
    """Damped Newton: a step is halved until it lowers the loss."""
    loss, step = _loss_and_step(x, y, sizes, weights, l2)
    for _ in range(_MAX_STEPS):
        size = 1.0
        tried, following = _loss_and_step(x, y, sizes, weights + step, l2)
        while tried > loss and size > 1e-6:
            size /= 2
            tried, following = _loss_and_step(x, y, sizes, weights + size * step, l2)
        if loss - tried < _TOLERANCE * abs(loss):
            break
        weights, loss, step = weights + size * step, tried, following
    return weights


def _loss_and_step(
    x: Floats, y: NDArray[np.bool_], sizes: NDArray[np.int64], weights: Floats, l2: float
) -> tuple[float, Floats]:
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    owner = np.repeat(np.arange(len(sizes)), sizes)
    scores = x @ weights
    powers = np.exp(scores - np.maximum.reduceat(scores, starts)[owner])
    p = powers / np.add.reduceat(powers, starts)[owner]
    held = np.maximum(np.add.reduceat(p * y, starts), 1e-300)
    means = np.add.reduceat(x * p[:, None], starts)
    hessian = (x * p[:, None]).T @ x - means.T @ means + l2 * np.eye(x.shape[1])
    gradient = x.T @ (p * y / held[owner] - p) - l2 * weights
    return float(l2 * weights @ weights / 2 - np.log(held).sum()), np.linalg.solve(hessian, gradient)


def logistic(features: Floats, labels: Floats, weights: Floats, names: Sequence[str], *, l2: float) -> LinearModel:
    """Fit a weighted logistic regression with a ridge penalty on standardised features, the bias left free.

    Args:
        features: Float64 [n, d].
        labels: 0.0 or 1.0, [n].
        weights: How much each row counts, above 0, [n].
        names: The d features.
        l2: Ridge penalty, above 0.
    """
    mean = np.average(features, axis=0, weights=weights)
    scale = _scale(np.sqrt(np.average((features - mean) ** 2, axis=0, weights=weights)))
    z = np.column_stack([(features - mean) / scale, np.ones(len(features))])
    ridge = l2 * np.eye(z.shape[1])
    ridge[-1, -1] = 1e-9
    solution = np.zeros(z.shape[1])
    for _ in range(_MAX_STEPS):
        p = 1 / (1 + np.exp(-np.clip(z @ solution, -30, 30)))
        hessian = (z * (weights * p * (1 - p))[:, None]).T @ z + ridge
        step = np.linalg.solve(hessian, z.T @ (weights * (labels - p)) - ridge @ solution)
        solution = solution + step
        if np.abs(step).max() < _TOLERANCE:
            break
    return LinearModel(tuple(names), mean, scale, solution[:-1], float(solution[-1]))
