"""Says how probable it is that the collection answers a question, from the evidence that was found.

``p_supported = p_on_topic * p_fine``: two logistic models. The first tells a question that these documents are about
from one they are not; the second tells, among questions on their topic, one that the best sentence answers
from one
that only shares its words (a swapped name, a missing condition, a negation).

What it does not know: it reads words, not meaning. A question whose arguments are exchanged ("what is France a
region of?") looks answered; the second factor is a weak judge and its probabilities stay close to a half.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp

import numpy as np

from ragstead.answering.features import Passage, Question, TermCounts
from ragstead.answering.linear import Floats, LinearModel, linear_model
from ragstead.answering.selection import Ranked
from ragstead.answering.support_features import FINE_FEATURES, TOPIC_FEATURES, Evidence, support_features
from ragstead.errors import ConfigurationError
from ragstead.model import Reason


@dataclass(frozen=True, slots=True)
class Support:
    """How well a question is supported; all in [0, 1].

    Attributes:
        p_supported: Probability that the collection answers the question: ``p_on_topic * p_fine``.
        p_on_topic: Probability that the collection is about what is asked.
        p_fine: Probability that the best sentence answers, given that.
    """

    p_supported: float
    p_on_topic: float
    p_fine: float

    def refusal(self, threshold: float) -> Reason | None:
        """Return why to refuse, or None where `p_supported` reaches `threshold`.

        `no_evidence` where the collection is about something else, `low_support` where it is on the topic.
        """
        if self.p_supported >= threshold:
            return None
        return Reason.NO_EVIDENCE if self.p_on_topic < 0.5 else Reason.LOW_SUPPORT


UNSUPPORTED = Support(0.0, 0.0, 0.0)
"""Support of a question for which nothing was found."""


def together(whole: Support, parts: Sequence[Support]) -> Support:
    """Return the support of a question that asks several things.

    It is the better of two: that of the question as one, or the mean over its parts, which is the share of them that is
    answered, as far as is known.
    """
    mean = sum(one.p_supported for one in parts) / len(parts)
    if whole.p_supported >= mean:
        return whole
    on_topic = max(one.p_on_topic for one in parts)
    return Support(mean, on_topic, mean / on_topic)


class SupportModel:
    """Judges support with two logistic models."""

    def __init__(self, topic: LinearModel, fine: LinearModel) -> None:
        self._topic = topic
        self._fine = fine

    def judge(self, question: Question, counts: TermCounts, passages: Sequence[Passage], ranked: Ranked) -> Support:
        """Judge the sentences ranked for `question`; nothing ranked is `UNSUPPORTED`.

        A question without a content word, in any language, has nothing to be on the topic of: only cosines
        speak.
        """
        if not ranked.found:
            return UNSUPPORTED
        found = support_features(Evidence(question, counts, passages, ranked))
        topic, fine = (_probability(model, found) for model in (self._topic, self._fine))
        return Support(topic * fine, topic, fine)


def support_model(raw: Mapping[str, object]) -> SupportModel:
    """Read the weights from parsed JSON: ``{"topic": model, "fine": model}``.

    Raises:
        ConfigurationError: If a model is missing or does not fit the features of this code.
    """
    topic, fine = raw.get("topic"), raw.get("fine")
    if not isinstance(topic, dict) or not isinstance(fine, dict):
        raise ConfigurationError("support weights need the keys topic and fine")
    return SupportModel(linear_model(topic, TOPIC_FEATURES), linear_model(fine, FINE_FEATURES))


def _probability(model: LinearModel, found: Mapping[str, float]) -> float:
    row: Floats = np.array([[found[name] for name in model.names]])
    score = float(np.clip(model.scores(row)[0], -30.0, 30.0))
    return 1 / (1 + exp(-score))
