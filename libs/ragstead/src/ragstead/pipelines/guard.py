"""The guard's policies over its detectors, on the work pool."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ragstead.guardrails.groundedness import Groundedness
from ragstead.guardrails.injection import InjectionDetector
from ragstead.guardrails.languages import language_of
from ragstead.guardrails.pii import ALL_KINDS, PiiKind, PiiSpan, find_pii, leaked_pii, redact
from ragstead.model import Hit
from ragstead.ports.guard import PassagesVerdict, QuestionVerdict, SentenceVerdict
from ragstead.ports.work_pool import WorkPool

BLANK = "\u2588"
"""Stands once in every stretch of blanked words, so that no quote can run across it."""


@dataclass(frozen=True, slots=True)
class GuardPlan:
    """The policies; `pipeline.guard` of the settings says what each does.

    Attributes:
        injection: What becomes of a question that holds an injection.
        question_pii: What becomes of personal data in a question.
        languages: Those that may be asked in, by their ISO 639-1 codes; empty: all.
        passages: What becomes of a passage that holds an injection.
        answer: What becomes of an answer with a sentence that its sources do not support.
        min_groundedness: Probability of support below which a sentence is unsupported.
        answer_pii: Which personal data is taken out of an answer.
        pii_kinds: What counts as personal data.
    """

    injection: Literal["off", "flag", "refuse"] = "refuse"
    question_pii: Literal["off", "redact", "refuse"] = "off"
    languages: tuple[str, ...] = ()
    passages: Literal["keep", "withhold", "demote", "drop"] = "withhold"
    answer: Literal["off", "repair", "extractive", "refuse"] = "repair"
    min_groundedness: float = 0.1
    answer_pii: Literal["off", "leaked", "all"] = "leaked"
    pii_kinds: frozenset[PiiKind] = ALL_KINDS


class PolicyGuard:
    """Is a `Guard`.

    Args:
        plan: The policies.
        injection: Finds instructions that do not belong where they are.
        groundedness: Finds sentences without support.
        pool: Where the detectors run.
    """

    def __init__(
        self, plan: GuardPlan, injection: InjectionDetector, groundedness: Groundedness, pool: WorkPool
    ) -> None:
        self._plan = plan
        self._injection = injection
        self._groundedness = groundedness
        self._pool = pool

    async def question(self, text: str) -> QuestionVerdict:
        """Judge what a user wrote."""
        return await self._pool.run(lambda: self._question(text))

    async def passages(self, hits: Sequence[Hit]) -> PassagesVerdict:
        """Judge passages; one that was not marked when it was ingested is looked at now."""
        if self._plan.passages == "keep" or not hits:
            return PassagesVerdict(tuple(hits))
        return await self._pool.run(lambda: self._passages(hits))

    async def sentence(self, words: str, sources: Sequence[str]) -> SentenceVerdict:
        """Judge a sentence of an answer."""
        if self._plan.answer == "off" and self._plan.answer_pii == "off":
            return SentenceVerdict(words, 1.0)
        return await self._pool.run(lambda: self._sentence(words, sources))

    async def marks(self, texts: Sequence[str]) -> Sequence[float]:
        """Return the probabilities of injection."""
        return await self._pool.run(lambda: [round(mark, 4) for mark in self._injection.probabilities(texts)])

    def _question(self, text: str) -> QuestionVerdict:
        plan = self._plan
        injected = plan.injection != "off" and self._injection.is_injected(text)
        spans = find_pii(text, plan.pii_kinds) if plan.question_pii != "off" else ()
        foreign = bool(plan.languages) and language_of(text) not in (None, *plan.languages)
        refused = (
            (injected and plan.injection == "refuse") or (bool(spans) and plan.question_pii == "refuse") or foreign
        )
        kinds = tuple(dict.fromkeys(span.kind.value for span in spans))
        findings = (*(("injection",) if injected else ()), *kinds, *(("language",) if foreign else ()))
        return QuestionVerdict(redact(text, spans) if plan.question_pii == "redact" else text, findings, refused)

    def _passages(self, hits: Sequence[Hit]) -> PassagesVerdict:
        bad = [self._is_injected(hit) for hit in hits]
        clean = [hit for hit, injected in zip(hits, bad, strict=True) if not injected]
        marked = [hit for hit, injected in zip(hits, bad, strict=True) if injected]
        if not marked or self._plan.passages == "drop":
            return PassagesVerdict(tuple(clean), len(marked))
        if self._plan.passages == "demote":
            return PassagesVerdict((*clean, *marked), len(marked))
        readable = (self._readable(hit) if injected else hit for hit, injected in zip(hits, bad, strict=True))
        return PassagesVerdict(tuple(hit for hit in readable if hit is not None), len(marked))

    def _is_injected(self, hit: Hit) -> bool:
        chunk = hit.stored.chunk
        mark = self._injection.probability(chunk.text) if chunk.injection is None else chunk.injection
        return mark >= self._injection.threshold

    def _readable(self, hit: Hit) -> Hit | None:
        """Return the hit without what reads like instructions; None where what is left still does, or nothing is."""
        chunk = hit.stored.chunk
        text = chunk.text
        for start, end in self._injection.suspicious(text):
            text = text[:start] + _blank(text[start:end]) + text[end:]
        if self._injection.is_injected(text.replace(BLANK, " ")) or not text.replace(BLANK, " ").strip():
            return None
        return replace(hit, stored=replace(hit.stored, chunk=replace(chunk, text=text)))

    def _sentence(self, words: str, sources: Sequence[str]) -> SentenceVerdict:
        plan = self._plan
        grounded = 1.0 if plan.answer == "off" else self._groundedness.probability(words, sources)
        if grounded < plan.min_groundedness or BLANK in words:
            return SentenceVerdict(None, grounded)
        spans = self._unwanted(words, sources)
        hidden = tuple(words[span.start : span.end] for span in spans)
        return SentenceVerdict(redact(words, spans) if spans else words, grounded, hidden)

    def _unwanted(self, words: str, sources: Sequence[str]) -> tuple[PiiSpan, ...]:
        if self._plan.answer_pii == "all":
            return find_pii(words, self._plan.pii_kinds)
        return leaked_pii(words, sources, self._plan.pii_kinds) if self._plan.answer_pii == "leaked" else ()


def _blank(words: str) -> str:
    """Return as many characters that nobody can quote: a paragraph of its own that says nothing."""
    n = len(words)
    if n < 5:
        return BLANK * n
    return "\n" + " " * ((n - 3) // 2) + BLANK + " " * (n - 3 - (n - 3) // 2) + "\n"
