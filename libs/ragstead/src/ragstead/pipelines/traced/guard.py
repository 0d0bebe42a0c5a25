"""The guard with spans."""

from __future__ import annotations

from collections.abc import Sequence

from ragstead.model import Hit
from ragstead.ports.guard import Guard, PassagesVerdict, QuestionVerdict, SentenceVerdict
from ragstead.ports.tracer import Kind
from ragstead.tracing import span


class TracedGuard:
    """Is a `Guard` that books its judgements; those of sentences make the trace's groundedness."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self.marks = guard.marks

    async def question(self, text: str) -> QuestionVerdict:
        """Return the guard's verdict."""
        with span("guard", Kind.GUARDRAIL) as step:
            verdict = await self._guard.question(text)
            if step is not None:
                step.input, step.output = text, verdict.text
                step.facts |= {"of": "question", "refused": verdict.refused, "findings": " ".join(verdict.findings)}
        return verdict

    async def passages(self, hits: Sequence[Hit]) -> PassagesVerdict:
        """Return the guard's verdict."""
        with span("guard", Kind.GUARDRAIL) as step:
            verdict = await self._guard.passages(hits)
            if step is not None:
                step.facts |= {"of": "passages", "passages": len(hits), "withheld": verdict.withheld}
        return verdict

    async def sentence(self, words: str, sources: Sequence[str]) -> SentenceVerdict:
        """Return the guard's verdict."""
        with span("guard", Kind.GUARDRAIL) as step:
            verdict = await self._guard.sentence(words, sources)
            if step is not None:
                step.input, step.output = words, verdict.words or ""
                step.facts |= {"of": "sentence", "grounded": verdict.grounded, "redacted": len(verdict.redacted)}
                step.trace.grounded.append(verdict.grounded)
        return verdict
