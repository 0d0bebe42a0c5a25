"""One detector with one threshold, for what users ask and for what documents say.

Two linear models read the wording of each piece of the text (sentence, line, cell): does it tell a model to drop or
change what it was told, and does it ask for something? A third weighs what they say of all pieces together: a request
alone is what users write, the same request on a line of its own inside a table is an injection.

Not known here: what a document is about beyond the words its pieces share, instructions spread over several documents,
text in pictures, languages other than English and German beyond a few phrases of Spanish, French and Italian.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import ConfigurationError
from ragstead.guardrails.injection.evidence import EVIDENCE, Judged, evidence
from ragstead.guardrails.injection.pieces import piece_spans, pieces_of
from ragstead.guardrails.injection.wording import BUCKETS, sentence_features
from ragstead.guardrails.weighing import Weighing, read_weighing


@dataclass(frozen=True, slots=True)
class WordingModel:
    """``log_odds = bias + scale / sqrt(f) * sum(weights[feature])`` over the f features of a piece.

    Attributes:
        weights: One a bucket, int8 [BUCKETS].
        scale: What one unit of them weighs, above 0.
        bias: Log-odds of a piece without features.
    """

    weights: NDArray[np.int8]
    scale: float
    bias: float

    def log_odds(self, features: NDArray[np.int32]) -> float:
        """Return the log-odds of a piece with these features, int32 [f]."""
        if not len(features):
            return self.bias
        total = int(self.weights[features].sum(dtype=np.int64))
        return self.bias + self.scale * total / sqrt(len(features))


@dataclass(frozen=True, slots=True)
class InjectionDetector:
    """The detector with its fitted weights.

    Attributes:
        takeover: Tells pieces that instruct a model from others.
        task: Tells pieces that ask for something from sentences of documents.
        whole: Weighs the evidence of all pieces.
        threshold: From which probability on a text counts as injected.
    """

    takeover: WordingModel
    task: WordingModel
    whole: Weighing
    threshold: float

    def judged(self, text: str) -> Judged | None:
        """Return the pieces of a text with what both models say of them; None for a blank one."""
        pieces = pieces_of(text)
        if not pieces:
            return None
        features = [np.fromiter(sentence_features(piece), dtype=np.int32) for piece in pieces]
        takeover = np.array([self.takeover.log_odds(found) for found in features])
        return Judged(text, pieces, takeover, np.array([self.task.log_odds(found) for found in features]))

    def probability(self, text: str) -> float:
        """Return the probability in [0, 1] that something is injected; 0 for a blank text.

        The scale is that of the data it was fitted on, where a third of the texts are injected.
        """
        judged = self.judged(text)
        return 0.0 if judged is None else self.whole.probability(evidence(judged).tolist())

    def is_injected(self, text: str) -> bool:
        """Return whether the probability reaches the threshold."""
        return self.probability(text) >= self.threshold

    def suspicious(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return where the pieces of an injected text are that read like instructions, in order; none for a blank one.

        The most suspicious piece is always among them.
        """
        judged = self.judged(text)
        if judged is None:
            return ()
        worst = np.maximum(judged.takeover, judged.task)
        top = int(worst.argmax())
        return tuple(span for i, span in enumerate(piece_spans(text)) if i == top or worst[i] > 0)


def _wording_model(raw: object) -> WordingModel:
    if not isinstance(raw, Mapping) or not {"weights", "scale", "bias"} <= set(raw):
        raise ConfigurationError("a wording model needs the keys weights, scale and bias")
    weights = np.frombuffer(base64.b64decode(raw["weights"]), dtype=np.int8)
    if weights.size != BUCKETS:
        raise ConfigurationError(f"a wording model needs {BUCKETS} weights, got {weights.size}")
    return WordingModel(weights, float(raw["scale"]), float(raw["bias"]))


def read_detector(raw: object) -> InjectionDetector:
    """Read the detector from its JSON.

    Raises:
        ConfigurationError: If a part is missing, or the weights are not those of the code's features.
    """
    if not isinstance(raw, Mapping) or not {"takeover", "task", "whole", "threshold"} <= set(raw):
        raise ConfigurationError("an injection detector needs the keys takeover, task, whole and threshold")
    whole = read_weighing(raw["whole"], EVIDENCE)
    return InjectionDetector(
        _wording_model(raw["takeover"]), _wording_model(raw["task"]), whole, float(raw["threshold"])
    )


@cache
def shipped_detector() -> InjectionDetector:
    """Return the detector that comes with the product."""
    source = resources.files(__package__) / "weights.json"
    return read_detector(json.loads(source.read_text(encoding="utf-8")))


def injection_score(text: str) -> float:
    """Return the probability that something is injected in a text, by the detector that comes with the product."""
    return shipped_detector().probability(text)
