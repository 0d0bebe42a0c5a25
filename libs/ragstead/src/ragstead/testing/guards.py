"""A guard without detectors, for tests of what stands behind one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ragstead.model import Hit
from ragstead.ports.guard import PassagesVerdict, QuestionVerdict, SentenceVerdict


class WordGuard:
    """Is a `Guard` to which one word is an injection wherever it stands.

    Questions with it are refused, it is blanked in passages, and sentences with it, or with a word that none of their
    sources has, are stopped.

    Args:
        word: That word, as it is written.
    """

    def __init__(self, word: str = "INJECTED") -> None:
        self._word = word

    async def question(self, text: str) -> QuestionVerdict:
        """Refuse a question with the word."""
        injected = self._word in text
        return QuestionVerdict(text, ("injection",) if injected else (), injected)

    async def passages(self, hits: Sequence[Hit]) -> PassagesVerdict:
        """Blank the word."""
        blanked = tuple(self._blanked(hit) for hit in hits)
        return PassagesVerdict(blanked, sum(one != hit for one, hit in zip(blanked, hits, strict=True)))

    async def sentence(self, words: str, sources: Sequence[str]) -> SentenceVerdict:
        """Stop a sentence with the word, or with one that no source has."""
        known = {word for source in sources for word in re.findall(r"\w+", source.casefold())}
        said = set(re.findall(r"\w+", words.casefold()))
        grounded = 1 - len(said - known) / max(1, len(said))
        return SentenceVerdict(words if grounded == 1 and self._word not in words else None, grounded)

    async def marks(self, texts: Sequence[str]) -> Sequence[float]:
        """Return 1 where the word is, else 0."""
        return [float(self._word in text) for text in texts]

    def _blanked(self, hit: Hit) -> Hit:
        chunk = hit.stored.chunk
        text = chunk.text.replace(self._word, "\u2588" * len(self._word))
        return replace(hit, stored=replace(hit.stored, chunk=replace(chunk, text=text)))
