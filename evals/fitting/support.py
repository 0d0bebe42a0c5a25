"""Fits the probability of support so that every figure about it comes from articles that it was not fitted on.

Cross-fitting: articles lie in folds, each of which holds one article that has unanswerable questions. An example's
features are computed by a sentence selector that has not seen its fold, and its out-of-fold probability by models that
have not either. The calibration is fitted on those probabilities, and measured on each fold with a calibration fitted
on the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evals.fitting.corpus import Example
from evals.fitting.linear import logistic
from ragstead.answering.features import Floats
from ragstead.answering.linear import LinearModel
from ragstead.answering.selection import Ranked
from ragstead.answering.support_features import FINE_FEATURES, TOPIC_FEATURES, Evidence, support_features
from ragstead.calibration import (
    area_under_risk_coverage,
    brier_score,
    expected_calibration_error,
    isotonic_regression,
    reliability_bins,
    roc_auc,
)

TOPIC_L2, FINE_L2 = 1.0, 100.0
_NAMES = tuple(dict.fromkeys((*TOPIC_FEATURES, *FINE_FEATURES)))
_TOPIC = [_NAMES.index(name) for name in TOPIC_FEATURES]
_FINE = [_NAMES.index(name) for name in FINE_FEATURES]
_FEWEST = 100
"""A threshold that leaves fewer questions answered says too little about its error to be offered."""


@dataclass(frozen=True, slots=True)
class Set:
    """Examples that count together `weight` in the fit of the topic model."""

    on_topic: bool
    weight: float
    examples: list[Example]


@dataclass(frozen=True, slots=True)
class Table:
    """Support features of examples, one row each, with the fold that each lies in; -1 for none."""

    features: Floats
    folds: NDArray[np.int64]

    def outside(self, fold: int) -> NDArray[np.bool_]:
        """Which rows lie in another fold or in none."""
        return np.asarray(self.folds != fold, dtype=np.bool_)


def table(examples: Sequence[Example], folds: Mapping[str, int], rank: Callable[[int, Example], Ranked]) -> Table:
    """Return the features of `examples`, each ranked by `rank`, which is told its fold."""
    found, places = [], []
    for item in examples:
        fold = folds.get(item.group, -1)
        values = support_features(Evidence(item.question, item.counts, item.passages, rank(fold, item)))
        found.append([values[name] for name in _NAMES])
        places.append(fold)
    return Table(np.array(found), np.array(places))


@dataclass(frozen=True, slots=True)
class SupportData:
    """What support is fitted on.

    Attributes:
        sets: Tables of questions on the collection's topic and off it, with whether and how much they count.
        hard: Questions on their topic, some of them unanswerable.
        answerable: 1.0 or 0.0 for each row of `hard`.
    """

    sets: Sequence[tuple[Table, bool, float]]
    hard: Table
    answerable: Floats

    def topic_model(self, fold: int = -2) -> LinearModel:
        """Fit the model that tells questions on the topic from others, without a fold; both kinds weigh the same."""
        kept = [(topic_columns(rows.features[rows.outside(fold)]), on, weight) for rows, on, weight in self.sets]
        kept = [one for one in kept if len(one[0])]
        features = np.vstack([rows for rows, _, _ in kept])
        labels = np.concatenate([np.full(len(rows), float(on)) for rows, on, _ in kept])
        weights = np.concatenate([np.full(len(rows), weight / len(rows)) for rows, _, weight in kept])
        for label in (0.0, 1.0):
            weights[labels == label] *= 1000 / weights[labels == label].sum()
        return logistic(features, labels, weights, TOPIC_FEATURES, l2=TOPIC_L2)

    def fine_model(self, fold: int = -2) -> LinearModel:
        """Fit the model that tells answered questions from near misses, without a fold; both kinds weigh the same."""
        kept = self.hard.outside(fold)
        labels = self.answerable[kept]
        return logistic(fine_columns(self.hard.features[kept]), labels, balanced(labels), FINE_FEATURES, l2=FINE_L2)


def topic_columns(features: Floats) -> Floats:
    """Return those of a table's columns that the topic model reads."""
    return features[:, _TOPIC]


def fine_columns(features: Floats) -> Floats:
    """Return those of a table's columns that the fine model reads."""
    return features[:, _FINE]


def balanced(labels: Floats) -> Floats:
    """Return weights of mean 1 under which both labels weigh the same."""
    share = labels.mean()
    weights: Floats = np.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    return weights


def platt(scores: Floats, labels: Floats) -> tuple[float, float]:
    """Return slope and intercept of the logistic calibration of `scores`; both labels weigh the same.

    Source: Platt, Advances in Large Margin Classifiers, 1999.
    """
    model = logistic(scores[:, None], labels, balanced(labels), ("score",), l2=1e-6)
    slope = float(model.weights[0] / model.scale[0])
    return slope, model.bias - slope * float(model.mean[0])


def sigmoid(scores: Floats) -> Floats:
    """Return ``1 / (1 + exp(-score))``."""
    squashed: Floats = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
    return squashed


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Of each hard question, by models that have not seen its article: float64 [n].

    Attributes:
        topic: Probability that it is on the topic.
        score: Uncalibrated log-odds that the best sentence answers.
        answerable: 1.0 or 0.0.
        folds: Its fold.
    """

    topic: Floats
    score: Floats
    answerable: Floats
    folds: NDArray[np.int64]

    def calibration(self, fold: int = -2) -> tuple[float, float]:
        """Fit the calibration without a fold."""
        kept = self.folds != fold
        return platt(self.score[kept], self.answerable[kept])

    def probabilities(self) -> Floats:
        """Return `p_supported`, each fold calibrated on the others."""
        found = np.zeros(len(self.score))
        for fold in np.unique(self.folds):
            slope, intercept = self.calibration(int(fold))
            held = self.folds == fold
            found[held] = self.topic[held] * sigmoid(slope * self.score[held] + intercept)
        return found


def out_of_fold(data: SupportData) -> OutOfFold:
    """Fit every fold's models on the other folds and apply them to it."""
    hard = data.hard
    topic, score = np.zeros(len(hard.folds)), np.zeros(len(hard.folds))
    for fold in map(int, np.unique(hard.folds)):
        held = hard.features[~hard.outside(fold)]
        topic[hard.folds == fold] = sigmoid(data.topic_model(fold).scores(topic_columns(held)))
        score[hard.folds == fold] = data.fine_model(fold).scores(fine_columns(held))
    return OutOfFold(topic, score, data.answerable, hard.folds)


def even(labels: Floats) -> NDArray[np.int64]:
    """Return a sample of rows with as many of either label, by a fixed seed."""
    rng = np.random.default_rng(0)
    n = int(min(labels.sum(), (1 - labels).sum()))
    return np.concatenate([rng.choice(np.flatnonzero(labels == label), n, replace=False) for label in (0, 1)])


def figures(found: OutOfFold) -> dict[str, float]:
    """Return what `p_supported` is worth out of fold, over as many answerable questions as unanswerable ones."""
    rows = even(found.answerable)
    p, y = found.probabilities()[rows], found.answerable[rows]
    by_article = [
        roc_auc(p[found.folds[rows] == fold], y[found.folds[rows] == fold]) or 0.0 for fold in np.unique(found.folds)
    ]
    return {
        "questions": float(len(rows)),
        "auc": roc_auc(p, y) or 0.0,
        "auc_of_an_article_least": min(by_article),
        "auc_of_an_article_mean": float(np.mean(by_article)),
        "auc_of_an_article_most": max(by_article),
        "calibration_error": expected_calibration_error(p, y),
        "calibration_error_isotonic": expected_calibration_error(_isotonic(found)[rows], y),
        "brier": brier_score(p, y),
        "aurc": area_under_risk_coverage(p, y),
    }


def _isotonic(found: OutOfFold) -> Floats:
    """`p_supported` as isotonic regression would calibrate it, each fold on the others; beside the logistic one."""
    raw = found.topic * sigmoid(found.score)
    calibrated = np.zeros(len(raw))
    for fold in np.unique(found.folds):
        kept = found.folds != fold
        order = np.argsort(raw[kept], kind="stable")
        x, y = raw[kept][order], found.answerable[kept][order]
        calibrated[~kept] = np.interp(raw[~kept], x, isotonic_regression(y, balanced(y)))
    return np.clip(calibrated, 0.0, 1.0)


def reliability(found: OutOfFold) -> list[list[float]]:
    """Return the reliability plot: rows of predicted, observed, n."""
    rows = even(found.answerable)
    bins = reliability_bins(found.probabilities()[rows], found.answerable[rows])
    return [[round(one.predicted, 4), round(one.observed, 4), one.n] for one in bins]


def curve(found: OutOfFold) -> list[list[float]]:
    """Return rows of threshold, share of the answerable answered, and error among the answers, by hundredths.

    Both kinds of question weigh the same. The error is made to never rise with the threshold (isotonic regression).
    """
    p, y = found.probabilities(), found.answerable
    thresholds = [step / 100 for step in range(100) if (p >= step / 100).sum() >= _FEWEST]
    answered = np.array([(p[y > 0] >= t).mean() for t in thresholds])
    wrongly = np.array([(p[y < 1] >= t).mean() for t in thresholds])
    error = isotonic_regression((wrongly / (answered + wrongly))[::-1], (answered + wrongly)[::-1])[::-1]
    columns = zip(thresholds, answered.tolist(), error.tolist(), strict=True)
    return [[threshold, round(share, 4), round(wrong, 4)] for threshold, share, wrong in columns]
