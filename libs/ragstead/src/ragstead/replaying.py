"""What differs between two answers to the same question."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

Told = str | float | bool | None

_SAME_PROBABILITY = 0.005
"""Difference of probabilities below which they are called the same: they are shown with two digits."""


@dataclass(frozen=True, slots=True)
class ToldAnswer:
    """An answer, as far as two are compared.

    Attributes:
        answer: Its words.
        refused: Whether it was a refusal.
        reason: Why, or None.
        p_supported: Probability in [0, 1].
        release: The release's id.
        collection_version: Of the collection that it was made from.
        model: What wrote it.
        quotes: Document id and words of each citation, in order.
    """

    answer: str
    refused: bool
    reason: str | None
    p_supported: float
    release: str
    collection_version: int
    model: str
    quotes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is not as it was.

    Attributes:
        what: Its name: a field of the answer, or `citation`.
        then: What it was; None where it was not there.
        now: What it is; None where it is no longer there.
    """

    what: str
    then: Told
    now: Told


def differences(then: ToldAnswer, now: ToldAnswer) -> tuple[Difference, ...]:
    """Return what differs, what explains it first: release, collection and model, then the answer itself.

    White space does not count, nor does the order of citations, nor a probability that moved by less than 0.005.
    """
    return tuple(_differences(then, now))


def _differences(then: ToldAnswer, now: ToldAnswer) -> Iterator[Difference]:
    for name in ("release", "collection_version", "model", "refused", "reason"):
        was, is_now = getattr(then, name), getattr(now, name)
        if was != is_now:
            yield Difference(name, was, is_now)
    if not math.isclose(then.p_supported, now.p_supported, rel_tol=0, abs_tol=_SAME_PROBABILITY):
        yield Difference("p_supported", then.p_supported, now.p_supported)
    if then.answer.split() != now.answer.split():
        yield Difference("answer", then.answer, now.answer)
    before, after = _by_words(then), _by_words(now)
    yield from (Difference("citation", said, None) for words, said in before.items() if words not in after)
    yield from (Difference("citation", None, said) for words, said in after.items() if words not in before)


def _by_words(told: ToldAnswer) -> dict[tuple[str, ...], str]:
    return {(document_id, *quote.split()): f"{document_id}: {quote}" for document_id, quote in told.quotes}
