"""A question's way to a checked answer, or to a refusal."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from ragstead.answering.support import Support
from ragstead.model import AgentStep, Answer, Hit, Reason, Receipt
from ragstead.pipelines.asking import AskRequest, answer_of
from ragstead.pipelines.retrieve import RetrievePipeline, SearchRequest, SearchResult, Stopwatch
from ragstead.pipelines.template_choice import TemplateChoice
from ragstead.pipelines.verify import VerifiedText, Verifier
from ragstead.ports.generator import EvidenceSentence, GenerationRequest, Generator, Piece


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the passages say about the question.

    Attributes:
        support: How probable it is that they answer it.
        sentences: Those that do, in the order in which they read best.
    """

    support: Support
    sentences: Sequence[EvidenceSentence] = ()


Assessor = Callable[[str, SearchResult], Awaitable[Evidence]]


@dataclass(frozen=True, slots=True)
class Findings:
    """What there is to answer from.

    Attributes:
        found: The passages.
        evidence: What they say about the question.
        unanswered: Parts of the question that they don't answer, where they answer others.
        steps: How an agent came by them.
        prompt_tokens: What models read on the way.
        completion_tokens: What they wrote.
    """

    found: SearchResult
    evidence: Evidence
    unanswered: tuple[str, ...] = ()
    steps: tuple[AgentStep, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0


Finder = Callable[[AskRequest, Stopwatch], Awaitable[Findings]]
"""Finds and weighs the evidence for a question, and books its time on the stopwatch."""


@dataclass(frozen=True, slots=True)
class AnswerPlan:
    """What of answering an answer depends on.

    Attributes:
        min_support: Probability of support below which an answer is refused.
        release: The release's id, stamped on every receipt.
        templates: The prompt templates that a request may name.
    """

    min_support: float
    release: str
    templates: TemplateChoice = field(default_factory=TemplateChoice)


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    request: AskRequest
    findings: Findings
    watch: Stopwatch
    trace_id: str
    last: Piece = field(default_factory=lambda: Piece("", finish_reason="stop"))


class OneSearch:
    """Is a `Finder`: searches once, for the question as it is asked.

    Args:
        retriever: Finds the passages.
        assessor: Weighs them.
        passages: How many, where the caller names no number.
    """

    def __init__(self, retriever: RetrievePipeline, assessor: Assessor, passages: int) -> None:
        self._retriever = retriever
        self._assessor = assessor
        self._passages = passages

    async def __call__(self, request: AskRequest, watch: Stopwatch) -> Findings:
        """Return what the search found.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        k = request.k or self._passages
        asked = SearchRequest(request.question, request.collection, k, request.strategy, request.filter)
        found = await self._retriever.search(asked)
        watch.lap("retrieve")
        evidence = await self._assessor(request.question, found)
        watch.lap("assess")
        return Findings(found, evidence)


class AnswerPipeline:
    """Answers questions from a collection: find the evidence, weigh it, generate, verify.

    Args:
        finder: Finds the passages and weighs them.
        generator: Writes the answer.
        verifier: Checks it, sentence by sentence.
        plan: How it goes about it.
    """

    def __init__(
        self,
        finder: Finder,
        generator: Generator,
        verifier: Verifier,
        plan: AnswerPlan,
    ) -> None:
        self._finder = finder
        self._generator = generator
        self._verifier = verifier
        self._plan = plan

    async def answer(self, request: AskRequest) -> Answer:
        """Return the answer, or the refusal, to a question.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        return await answer_of(self.stream(request))

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer, whose content is all of it.

        Raises:
            InvalidRequest: If the request names a template that is not there, or that needs a model.
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        request = replace(request, template=self._plan.templates.pick(request.template))
        watch = Stopwatch()
        draft = _Draft(request, await self._finder(request, watch), watch, secrets.token_hex(16))
        reason = self._refusal(draft)
        checked = VerifiedText()
        if reason is None:
            async with aclosing(self._checked(draft, checked)) as texts:
                async for text in texts:
                    yield text
            if not checked.content:
                reason = Reason.LOW_SUPPORT
            elif draft.findings.unanswered:
                missing = "".join(f" {_words_of_refusal(request, part)}" for part in draft.findings.unanswered)
                checked.content += missing
                yield missing
        if reason is not None:
            nothing = reason is Reason.NO_EVIDENCE
            words = _words_of_refusal(request, request.question, nothing=nothing)
            checked = VerifiedText(words, dropped=checked.dropped)
            yield checked.content
        yield self._finished(draft, checked, reason)

    def _refusal(self, draft: _Draft) -> Reason | None:
        if not draft.findings.found.hits:
            return Reason.NO_EVIDENCE
        reason = draft.findings.evidence.support.refusal(self._plan.min_support)
        return None if self._plan.templates.tolerates(draft.request.template, reason) else reason

    async def _checked(self, draft: _Draft, checked: VerifiedText) -> AsyncGenerator[str, None]:
        hits: Sequence[Hit] = draft.findings.found.hits
        request = GenerationRequest(
            draft.request.question,
            hits,
            draft.findings.evidence.sentences,
            draft.request.messages,
            draft.request.sampling,
            draft.findings.found.collection.may_leave and draft.request.history_may_leave,
            draft.request.affinity,
            draft.request.template,
            draft.request.private,
        )
        async with aclosing(self._verifier.run(self._generator.generate(request), hits, checked)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Piece):
                    draft.last = piece
                else:
                    yield piece
        draft.watch.lap("generate")

    def _finished(self, draft: _Draft, checked: VerifiedText, reason: Reason | None) -> Answer:
        findings = draft.findings
        timings = {**findings.found.timings_ms, **draft.watch.timings_ms}
        timings["total"] = sum(draft.watch.timings_ms.values())
        receipt = Receipt(
            release=self._plan.release,
            collection_version=findings.found.collection.version,
            trace_id=draft.trace_id,
            model=draft.last.model or self._generator.name,
            route=draft.last.route,
            prompt_tokens=findings.prompt_tokens + draft.last.prompt_tokens,
            completion_tokens=findings.completion_tokens + draft.last.completion_tokens,
            timings_ms={stage: round(ms, 3) for stage, ms in timings.items()},
            dropped_citations=checked.dropped,
            steps=findings.steps,
        )
        return Answer(
            checked.content,
            () if reason else tuple(checked.citations),
            reason is not None,
            reason,
            findings.evidence.support.p_supported,
            draft.last.finish_reason or "stop",
            receipt,
        )


def _words_of_refusal(request: AskRequest, about: str, *, nothing: bool = False) -> str:
    question = " ".join(about.split())
    asked = question if len(question) <= 200 else question[:199] + "…"
    if nothing:
        return f"I found nothing in the collection “{request.collection}” about “{asked}”."
    return f"I found no passage in the collection “{request.collection}” that answers “{asked}”."
