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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import ConfigurationError
from ragstead.guardrails.injection.evidence import EVIDENCE, Judged, evidence
from ragstead.guardrails.injection.pieces import piece_spans, pieces_of
from ragstead.guardrails.injection.wording import BUCKETS, Wording, wording_of
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

    def log_odds(self, wording: Wording) -> NDArray[np.float64]:
        """Return the log-odds of each piece, float64 [pieces]."""
        totals = np.bincount(wording.owners, self.weights[wording.buckets], len(wording.sizes))
        return self.bias + self.scale * totals / np.sqrt(np.maximum(1, wording.sizes))


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

    def judged(self, texts: Sequence[str]) -> list[Judged]:
        """Return the pieces of each text with what both models say of them."""
        found = [pieces_of(text) for text in texts]
        wording = wording_of([piece for pieces in found for piece in pieces])
        takeover, task = iter(self.takeover.log_odds(wording).tolist()), iter(self.task.log_odds(wording).tolist())
        return [
            Judged(text, pieces, list(islice(takeover, len(pieces))), list(islice(task, len(pieces))))
            for text, pieces in zip(texts, found, strict=True)
        ]

    def probabilities(self, texts: Sequence[str]) -> list[float]:
        """Return for each text the probability in [0, 1] that something is injected; 0 for a blank one.

        The scale is that of the data it was fitted on, where a third of the texts are injected. Texts together take
        half the time of the same one by one.
        """
        return [self.whole.probability(evidence(one)) if one.pieces else 0.0 for one in self.judged(texts)]

    def probability(self, text: str) -> float:
        """Return the same for one text."""
        return self.probabilities([text])[0]

    def is_injected(self, text: str) -> bool:
        """Return whether the probability reaches the threshold."""
        return self.probability(text) >= self.threshold

    def suspicious(self, text: str) -> tuple[tuple[int, int], ...]:
        """Return where the pieces of an injected text are that read like instructions, in order; none for a blank one.

        The most suspicious piece is always among them.
        """
        (judged,) = self.judged([text])
        worst = list(map(max, judged.takeover, judged.task))
        top = max(worst, default=0.0)
        return tuple(span for span, each in zip(piece_spans(text), worst, strict=True) if each > 0 or each == top)


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
