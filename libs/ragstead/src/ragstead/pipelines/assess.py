"""Weighs the evidence: which sentences answer, and how probable it is that any does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ragstead.answering.features import Candidate, Passage, Question, TermCounts, read_question
from ragstead.answering.selection import SelectionSettings, SentenceSelector, Shortlist, choose
from ragstead.answering.support import UNSUPPORTED, SupportModel
from ragstead.pipelines.answer import Evidence
from ragstead.pipelines.retrieve import SearchResult
from ragstead.ports.embedder import Embedder
from ragstead.ports.generator import EvidenceSentence
from ragstead.ports.work_pool import WorkPool


@dataclass(frozen=True, slots=True)
class _Reading:
    """A question read over its passages, before anything is embedded."""

    question: Question
    counts: TermCounts
    passages: Sequence[Passage]
    shortlist: Shortlist


class EvidenceAssessor:
    """Finds the sentences of the passages that answer a question, and the probability that they do.

    Args:
        embedder: The one that the passages were embedded with.
        pool: Where the work runs.
        selector: Scores sentences.
        support: Judges the best of them.
        settings: How much to quote.
    """

    def __init__(
        self,
        embedder: Embedder,
        pool: WorkPool,
        selector: SentenceSelector,
        support: SupportModel,
        settings: SelectionSettings,
    ) -> None:
        self._embedder = embedder
        self._pool = pool
        self._selector = selector
        self._support = support
        self._settings = settings

    async def __call__(self, question: str, found: SearchResult) -> Evidence:
        """Return the evidence; probability 0 and no sentences where nothing was found."""
        if not found.hits:
            return Evidence(UNSUPPORTED)
        reading = await self._pool.run(lambda: self._read(question, found))
        if not reading.shortlist.found:
            return Evidence(UNSUPPORTED)
        vectors = await self._embedder.embed(reading.shortlist.texts, "passage")
        cosines = np.asarray(vectors @ found.vector, dtype=np.float64)
        return await self._pool.run(lambda: self._judge(reading, cosines))

    def _read(self, question: str, found: SearchResult) -> _Reading:
        counts = TermCounts(found.weights.frequencies, found.weights.n_texts)
        read = read_question(question, counts)
        passages = [
            Passage(hit.stored.chunk.text, hit.stored.title, hit.cosine, hit.bm25, hit.stored.document_id)
            for hit in found.hits
        ]
        return _Reading(read, counts, passages, self._selector.shortlist(read, passages, self._settings.shortlist))

    def _judge(self, reading: _Reading, cosines: np.ndarray) -> Evidence:
        ranked = self._selector.rank(reading.shortlist, cosines)
        support = self._support.judge(reading.question, reading.counts, reading.passages, ranked)
        probability = dict(zip(ranked.found, ranked.probabilities.tolist(), strict=True))
        chosen = choose(ranked, self._settings)
        return Evidence(support, [_sentence(one, probability[one]) for one in chosen])


def _sentence(candidate: Candidate, probability: float) -> EvidenceSentence:
    return EvidenceSentence(candidate.passage + 1, candidate.start, candidate.end, probability)
