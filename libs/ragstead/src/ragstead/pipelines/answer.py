"""A question's way to a checked answer, or to a refusal."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from ragstead.answering.support import Support
from ragstead.model import AgentStep, Answer, GuardReport, Hit, Reason, Receipt
from ragstead.pipelines.asking import Answerer, AskRequest
from ragstead.pipelines.retrieve import Searches, SearchRequest, SearchResult, Stopwatch
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
        unsupported: What becomes of an answer with a sentence that the guard stops: `repair` goes without the sentence,
            `extractive` quotes the evidence instead, `refuse` refuses. The last two release nothing before the end.
    """

    min_support: float
    release: str
    templates: TemplateChoice = field(default_factory=TemplateChoice)
    unsupported: Literal["repair", "extractive", "refuse"] = "repair"


@dataclass(slots=True)
class _Draft:
    """An answer in the making."""

    request: AskRequest
    findings: Findings
    watch: Stopwatch
    last: Piece = field(default_factory=lambda: Piece("", finish_reason="stop"))
    unsupported: int = 0
    replaced: bool = False


class OneSearch:
    """Is a `Finder`: searches once, for the question as it is asked.

    Args:
        retriever: Finds the passages.
        assessor: Weighs them.
        passages: How many, where the caller names no number.
    """

    def __init__(self, retriever: Searches, assessor: Assessor, passages: int) -> None:
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


class AnswerPipeline(Answerer):
    """Answers questions from a collection: find the evidence, weigh it, generate, verify.

    Args:
        finder: Finds the passages and weighs them.
        generator: Writes the answer.
        verifier: Checks it, sentence by sentence.
        plan: How it goes about it.
        quoter: Quotes the evidence in place of an answer that the guard stops; the generator itself where None.
    """

    def __init__(
        self,
        finder: Finder,
        generator: Generator,
        verifier: Verifier,
        plan: AnswerPlan,
        quoter: Generator | None = None,
    ) -> None:
        self._finder = finder
        self._generator = generator
        self._verifier = verifier
        self._plan = plan
        self._quoter = quoter or generator

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield the answer's text as it is checked, and last the answer, whose content is all of it.

        Raises:
            InvalidRequest: If the request names a template that is not there, or that needs a model.
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        request = replace(request, template=self._plan.templates.pick(request.template))
        watch = Stopwatch()
        draft = _Draft(request, await self._finder(request, watch), watch)
        reason = self._refusal(draft)
        checked = VerifiedText()
        if reason is None:
            async with aclosing(self._released(draft, checked)) as texts:
                async for text in texts:
                    yield text
            if not checked.content:
                reason = Reason.GUARD_OUTPUT if draft.unsupported else Reason.LOW_SUPPORT
            elif draft.findings.unanswered:
                missing = "".join(f" {_words_of_refusal(request, part)}" for part in draft.findings.unanswered)
                checked.content += missing
                yield missing
        if reason is not None:
            words = _words_of_refusal(request, request.question, reason)
            checked = replace(checked, content=words, citations=[])
            yield checked.content
        yield self._finished(draft, checked, reason)

    def _refusal(self, draft: _Draft) -> Reason | None:
        if not draft.findings.found.hits:
            return Reason.NO_EVIDENCE
        reason = draft.findings.evidence.support.refusal(self._plan.min_support)
        return None if self._plan.templates.tolerates(draft.request.template, reason) else reason

    async def _released(self, draft: _Draft, checked: VerifiedText) -> AsyncGenerator[str, None]:
        """Yield what may be shown, at once or, where the guard may yet stop the whole, at the end."""
        waits = self._plan.unsupported != "repair"
        async with aclosing(self._checked(draft, checked, self._generator)) as texts:
            async for text in texts:
                if not waits:
                    yield text
        draft.unsupported = checked.unsupported
        if waits and checked.unsupported:
            checked.content = ""
            checked.citations.clear()
            checked.numbers.clear()
            if self._plan.unsupported == "extractive":
                draft.replaced = True
                async with aclosing(self._checked(draft, checked, self._quoter)) as texts:
                    async for _ in texts:
                        pass
        if waits and checked.content:
            yield checked.content

    async def _checked(self, draft: _Draft, checked: VerifiedText, writer: Generator) -> AsyncGenerator[str, None]:
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
        async with aclosing(self._verifier.run(writer.generate(request), hits, checked)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Piece):
                    draft.last = piece
                else:
                    yield piece
        draft.watch.lap("generate")

    def _finished(self, draft: _Draft, checked: VerifiedText, reason: Reason | None) -> Answer:
        findings = draft.findings
        timings = {**findings.found.timings_ms, **draft.watch.timings_ms}
        timings["guard"] = timings.get("guard", 0.0) + checked.guard_ms
        timings["total"] = sum(draft.watch.timings_ms.values())
        receipt = Receipt(
            release=self._plan.release,
            collection_version=findings.found.collection.version,
            trace_id=draft.request.trace.trace_id,
            model=draft.last.model or self._generator.name,
            route=draft.last.route,
            prompt_tokens=findings.prompt_tokens + draft.last.prompt_tokens,
            completion_tokens=findings.completion_tokens + draft.last.completion_tokens,
            timings_ms={stage: round(ms, 3) for stage, ms in timings.items()},
            dropped_citations=checked.dropped,
            steps=findings.steps,
            guard=_report(draft, checked),
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


def _report(draft: _Draft, checked: VerifiedText) -> GuardReport | None:
    done = GuardReport(
        withheld=draft.findings.found.withheld,
        dropped=checked.unsupported,
        redacted=checked.redacted,
        replaced=draft.replaced,
    )
    return None if done == GuardReport() else done


def _words_of_refusal(request: AskRequest, about: str, reason: Reason = Reason.LOW_SUPPORT) -> str:
    question = " ".join(about.split())
    asked = question if len(question) <= 200 else question[:199] + "…"
    if reason is Reason.GUARD_OUTPUT:
        return (
            f"I wrote an answer to “{asked}” that the collection “{request.collection}” does not support, and keep it."
        )
    if reason is Reason.NO_EVIDENCE:
        return f"I found nothing in the collection “{request.collection}” about “{asked}”."
    return f"I found no passage in the collection “{request.collection}” that answers “{asked}”."
