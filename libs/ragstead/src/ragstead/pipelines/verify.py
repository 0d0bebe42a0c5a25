"""Releases an answer sentence by sentence, each once its citations are checked."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from ragstead.citations import (
    Analyser,
    Claim,
    Splitter,
    Support,
    find_support,
    find_verbatim,
    read_claim,
    shortened,
)
from ragstead.model import Citation, Hit
from ragstead.ports.generator import Piece
from ragstead.ports.guard import Guard
from ragstead.streams import closing


@dataclass(slots=True)
class VerifiedText:
    """The part of an answer that is checked.

    Attributes:
        content: The words released so far, with their marks.
        citations: In order of their words.
        dropped: Marks that pointed nowhere or at a passage that does not carry the words.
        numbers: Mark by chunk key, in order of first use.
        unsupported: Sentences that the guard did not let through.
        redacted: Pieces of personal data that it took out.
        guard_ms: Milliseconds that it took.
    """

    content: str = ""
    citations: list[Citation] = field(default_factory=list)
    dropped: int = 0
    numbers: dict[int, int] = field(default_factory=dict)
    unsupported: int = 0
    redacted: int = 0
    guard_ms: float = 0.0


class Verifier:
    """Checks each sentence of an answer against the passages that its marks name.

    A mark that the server cannot verify is dropped and counted; a sentence that is left without one is not released,
    nor is one that the guard stops.

    Args:
        split: Cuts a text into sentences, as (start, end).
        analyse: Turns a text into its content terms.
        guard: Judges each sentence; None: nobody does.
    """

    def __init__(self, split: Splitter, analyse: Analyser, guard: Guard | None = None) -> None:
        self._split = split
        self._analyse = analyse
        self._guard = guard

    async def run(
        self, pieces: AsyncIterator[Piece], hits: Sequence[Hit], checked: VerifiedText
    ) -> AsyncGenerator[str | Piece, None]:
        """Yield each sentence once it is checked, and last the generator's last piece; `checked` grows along.

        Args:
            pieces: The generator's answer as it comes.
            hits: The passages, numbered from 1.
            checked: Collects what is released.
        """
        waiting = ""
        pending: list[str] = []
        last = Piece("", finish_reason="stop")
        async with aclosing(closing(pieces)) as stream:
            async for piece in stream:
                waiting += piece.text
                last = piece
                complete, waiting = ([waiting], "") if piece.ends_sentence else self._complete(waiting)
                for sentence in complete:
                    for text in await self._release(sentence, pending, hits, checked):
                        yield text
        for start, end in self._split(waiting):
            for text in await self._release(waiting[start:end], pending, hits, checked):
                yield text
        yield last

    def _complete(self, text: str) -> tuple[list[str], str]:
        """Return the sentences that more text can't change, and the rest."""
        spans = self._split(text)
        if len(spans) < 2:
            return [], text
        return [text[start:end] for start, end in spans[:-1]], text[spans[-1][0] :]

    async def _release(
        self, sentence: str, pending: list[str], hits: Sequence[Hit], checked: VerifiedText
    ) -> list[str]:
        """Return what may be released of a sentence; one without marks waits for the next, which may be its end."""
        claim = read_claim(sentence)
        if not claim.passages:
            pending.append(sentence)
            return []
        joined = read_claim(" ".join([*pending, sentence]))
        pending.clear()
        known = [n for n in claim.passages if 1 <= n <= len(hits)]
        if any(find_verbatim(joined.words, hits[n - 1].stored.chunk.text) for n in known):
            claim = joined
        found = [(n, self._support(claim, hits[n - 1])) for n in known]
        supports = [(hits[n - 1], support) for n, support in found if support is not None]
        checked.dropped += len(claim.passages) - len(supports)
        judged = await self._judged(claim, supports, checked) if supports else None
        return [_append(checked, *judged)] if judged is not None else []

    async def _judged(
        self, claim: Claim, supports: Sequence[tuple[Hit, Support]], checked: VerifiedText
    ) -> tuple[Claim, Sequence[tuple[Hit, Support]]] | None:
        """Return the claim as the guard lets it through, and its quotes likewise; None where it does not."""
        if self._guard is None:
            return claim, supports
        began = time.perf_counter()
        verdict = await self._guard.sentence(claim.words, [hit.stored.chunk.text for hit, _ in supports])
        checked.guard_ms += (time.perf_counter() - began) * 1000
        checked.redacted += len(verdict.redacted)
        checked.unsupported += verdict.words is None
        if verdict.words is None:
            return None
        shown = [(hit, shortened(one, hit.stored.chunk.text, verdict.redacted)) for hit, one in supports]
        return replace(claim, words=verdict.words), shown

    def _support(self, claim: Claim, hit: Hit) -> Support | None:
        return find_support(claim.words, hit.stored.chunk.text, self._split, self._analyse)


def _append(checked: VerifiedText, claim: Claim, supports: Sequence[tuple[Hit, Support]]) -> str:
    before = len(checked.content)
    text = (" " if checked.content else "") + claim.words
    start, end = before + len(text) - len(claim.words), before + len(text)
    for hit, support in supports:
        n = checked.numbers.setdefault(hit.stored.key, len(checked.numbers) + 1)
        checked.citations.append(_citation(n, (start, end), before + len(text) + 1, hit, support))
        text += f" [{n}]"
    text += claim.closing
    checked.content += text
    return text


def _citation(n: int, words: tuple[int, int], mark: int, hit: Hit, support: Support) -> Citation:
    chunk = hit.stored.chunk
    return Citation(
        n,
        words[0],
        words[1],
        mark,
        hit.stored,
        chunk.text[support.start : support.end],
        chunk.start + support.start,
        chunk.start + support.end,
        hit.score,
        support.verdict,
    )
