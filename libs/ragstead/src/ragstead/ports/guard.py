"""Watches what goes into an answer and what comes out of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ragstead.model import Hit


@dataclass(frozen=True, slots=True)
class QuestionVerdict:
    """What is made of something a user wrote.

    Attributes:
        text: The words to go on with; other than those given where personal data was redacted.
        findings: What was found: `injection`, kinds of personal data such as `email`, `language`; empty where nothing.
        refused: Whether it may not be answered.
    """

    text: str
    findings: tuple[str, ...] = ()
    refused: bool = False


@dataclass(frozen=True, slots=True)
class PassagesVerdict:
    """What is made of passages that were found.

    Attributes:
        hits: Those to go on with, in their order; words that may not be read are blanked, offsets stay.
        withheld: In how many passages an injection was found and blanked, demoted or dropped.
    """

    hits: tuple[Hit, ...]
    withheld: int = 0


@dataclass(frozen=True, slots=True)
class SentenceVerdict:
    """What is made of a sentence of an answer.

    Attributes:
        words: What may be released; None where nothing of it may be.
        grounded: Probability in [0, 1] that its sources support it.
        redacted: Personal data that was taken out, as it stood there; no citation may quote it either.
    """

    words: str | None
    grounded: float
    redacted: tuple[str, ...] = ()


class Guard(Protocol):
    """Applies the policies of a release; what they say to do is done by the pipelines."""

    async def question(self, text: str) -> QuestionVerdict:
        """Judge what a user wrote, before anything is searched or any model reads it."""
        ...

    async def passages(self, hits: Sequence[Hit]) -> PassagesVerdict:
        """Judge passages before they are evidence."""
        ...

    async def sentence(self, words: str, sources: Sequence[str]) -> SentenceVerdict:
        """Judge a sentence of an answer, without its marks, against the texts that it cites."""
        ...

    async def marks(self, texts: Sequence[str]) -> Sequence[float]:
        """Return for each text the probability in [0, 1] that something is injected in it; kept with chunks."""
        ...
