"""The probability that passages support a sentence.

The sentence is laid beside the sentences of the passages that share most with it, and the differences are weighed: a
number, a name or a negation that differs counts for more than any likeness of the rest.

Not known here: what follows from the passages without standing in them (sums, synonyms, pronouns across sentences).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ragstead.guardrails.groundedness.differences import DIFFERENCES, differences
from ragstead.guardrails.groundedness.tokens import tokens_of
from ragstead.guardrails.weighing import Weighing, read_weighing


@dataclass(frozen=True, slots=True)
class Groundedness:
    """The detector with its fitted weights."""

    weights: Weighing

    def probability(self, claim: str, passages: Sequence[str]) -> float:
        """Return the probability in [0, 1] that the passages together support the claim, one sentence without marks.

        A claim that says nothing (blank, or words of grammar alone) is supported by anything: 1. So is one that a
        passage says word for word, from the beginning of a sentence or line to the end of one. Without passages: 0.
        """
        if not tokens_of(claim) or any(_says(passage, claim) for passage in passages):
            return 1.0
        if not any(passage.strip() for passage in passages):
            return 0.0
        return self.weights.probability(differences(claim, passages))


def _says(passage: str, claim: str) -> bool:
    """Return whether the claim is whole sentences or lines of the passage; a part of one may say the opposite."""
    words = claim.strip().rstrip(".!?").split()
    found = re.finditer(r"\s+".join(map(re.escape, words)), passage)
    return any(_begins(passage[: one.start()]) and _ends(passage[one.end() :]) for one in found)


def _begins(before: str) -> bool:
    rest = before.rstrip(" \t")
    return not rest or rest[-1] in ".!?:;\n|•*-–—"


def _ends(after: str) -> bool:
    rest = after.lstrip(" \t")
    return not rest or rest[0] in ".!?;\n|"


def read_groundedness(raw: object) -> Groundedness:
    """Read the detector from its JSON.

    Raises:
        ConfigurationError: If the weights are not those of the code's features.
    """
    return Groundedness(read_weighing(raw, DIFFERENCES))


@cache
def shipped_groundedness() -> Groundedness:
    """Return the detector that comes with the product."""
    source = resources.files(__package__) / "weights.json"
    return read_groundedness(json.loads(source.read_text(encoding="utf-8")))


def groundedness(claim: str, passages: Sequence[str]) -> float:
    """Return the probability that the passages support the claim, by the weights that come with the product."""
    return shipped_groundedness().probability(claim, passages)
