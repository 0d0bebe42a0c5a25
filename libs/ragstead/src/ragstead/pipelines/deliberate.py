"""The agent's way to its evidence: plan, search, judge, and search again until it is enough or the bounds are reached.

Where is searched is the caller's word alone: collection, filter and strategy of every search are those of the request,
and a model's plan is words to look for and nothing else. Whether it was enough is judged by our own probability of
support, for the caller's question and its parts as our rules cut it; what a model asks is never judged against itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragstead.answering.support import together
from ragstead.model import AgentStep
from ragstead.pipelines.answer import Assessor, Evidence, Finder, Findings
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.plan import RULES
from ragstead.pipelines.retrieve import Searches, SearchRequest, SearchResult, Stopwatch
from ragstead.planning.moves import Bounds, Progress, after_judging, after_planning, pooled
from ragstead.planning.parts import split_question
from ragstead.planning.plans import fresh
from ragstead.ports.generator import EvidenceSentence
from ragstead.ports.planner import Planner, PlanRequest
from ragstead.ports.step_graph import Move, StepGraph

_QUOTES = 4
"""Sentences that a planner is shown, and at most as many of the passages that its searches brought first."""


@dataclass(frozen=True, slots=True)
class AgentPlan:
    """What of the agent an answer depends on.

    Attributes:
        passages: Hits of a search, where the caller names no number.
        pool: Passages that an answer is made from, where several searches were made; the same.
        min_support: Probability of support below which a part of a question is not answered.
        bounds: How far it goes.
        model_plans: Whether a model plans.
    """

    passages: int
    pool: int
    min_support: float
    bounds: Bounds
    model_plans: bool


@dataclass(frozen=True, slots=True)
class AgentParts:
    """What the agent is composed of.

    Attributes:
        retriever: Searches.
        assessor: Judges.
        planner: Says what else to search for.
        graph: Takes the steps.
    """

    retriever: Searches
    assessor: Assessor
    planner: Planner
    graph: StepGraph


class AgentFinder:
    """Is a `Finder`: deliberates.

    Args:
        parts: What it works with.
        plan: How it goes about it.
    """

    def __init__(self, parts: AgentParts, plan: AgentPlan) -> None:
        self._parts = parts
        self._plan = plan

    async def __call__(self, request: AskRequest, watch: Stopwatch) -> Findings:
        """Return what was found in the end.

        Raises:
            NotFound: If the collection is not there.
            Unavailable: If a part is down.
        """
        task = EvidenceHunt(self._parts, self._plan, request, watch)
        await self._parts.graph.run(task, most=3 * self._plan.bounds.steps + 1)
        return task.findings()


class ChosenFinder:
    """Is a `Finder`: the agent where the request asks for it, one search elsewhere.

    Args:
        one_search: Searches once.
        agent: Deliberates.
    """

    def __init__(self, one_search: Finder, agent: Finder) -> None:
        self._one_search = one_search
        self._agent = agent

    async def __call__(self, request: AskRequest, watch: Stopwatch) -> Findings:
        """Return what the one that is asked finds, and raise what it raises."""
        return await (self._agent if request.agent else self._one_search)(request, watch)


class EvidenceHunt:
    """Is the `Deliberation` on one question.

    Args:
        parts: What it works with.
        plan: How it goes about it.
        request: The question.
        watch: Books its time.
    """

    def __init__(self, parts: AgentParts, plan: AgentPlan, request: AskRequest, watch: Stopwatch) -> None:
        self._parts = parts
        self._plan = plan
        self._request = request
        self._watch = watch
        self._questions = split_question(request.question, plan.bounds.queries)
        self._waiting: tuple[str, ...] = ()
        self._searches: dict[str, SearchResult] = {}
        self._verdict: _Verdict | None = None
        self._steps: list[AgentStep] = []
        self._rounds = 0
        self._spent = (0, 0)
        self._model_waits = plan.model_plans

    async def plan(self) -> Move:
        """Search for the question and its parts first; then for what the planner says."""
        if self._verdict is None:
            first = dict.fromkeys([self._request.question, *self._questions])
            self._steps.append(AgentStep("plan", by=RULES, queries=len(first)))
            self._waiting = tuple(first)
            return Move.SEARCH
        plan = await self._parts.planner.plan(self._plan_request(self._verdict))
        self._model_waits = False
        self._spent = (self._spent[0] + plan.prompt_tokens, self._spent[1] + plan.completion_tokens)
        self._waiting = fresh(plan.queries, self._searches, self._plan.bounds.queries)
        self._steps.append(AgentStep("plan", by=plan.by, queries=len(self._waiting), note=plan.note or None))
        self._watch.lap("plan")
        return after_planning(self._waiting)

    async def search(self) -> Move:
        """Make the searches that wait."""
        for query in self._waiting:
            found = await self._parts.retriever.search(self._search(query, self._request.k or self._plan.passages))
            self._searches[query] = found
            self._steps.append(AgentStep("search", query=query, hits=len(found.hits)))
        self._waiting = ()
        self._watch.lap("retrieve")
        return Move.JUDGE

    async def judge(self) -> Move:
        """Weigh everything found so far, for the question and for each of its parts."""
        keys = pooled([one.hits for one in self._searches.values()], self._most())
        whole = await self._weighed(self._request.question, keys)
        parts = [await self._part(one, keys, whole) for one in self._questions]
        self._verdict = _Verdict(whole[0], whole[1], tuple(parts), self._plan.min_support)
        self._rounds += 1
        self._steps.append(AgentStep("judge", p_supported=round(self._verdict.evidence().support.p_supported, 4)))
        self._watch.lap("assess")
        return after_judging(
            Progress(self._rounds, self._verdict.lowest, self._model_waits and self._rounds == 1), self._plan.bounds
        )

    def findings(self) -> Findings:
        """Return what was found and judged last."""
        if self._verdict is None:
            raise AssertionError("a deliberation judges before it ends")
        return Findings(
            self._verdict.found,
            self._verdict.evidence(),
            self._verdict.unanswered(),
            tuple(self._steps),
            *self._spent,
        )

    def _most(self) -> int:
        """Passages to answer from: the caller's number, or more than one search's where several were made."""
        if self._request.k is not None:
            return self._request.k
        return self._plan.passages if len(self._searches) == 1 else self._plan.pool

    def _search(self, query: str, k: int) -> SearchRequest:
        return SearchRequest(query, self._request.collection, k, self._request.strategy, self._request.filter)

    async def _part(self, question: str, keys: Sequence[int], whole: tuple[SearchResult, Evidence]) -> _PartVerdict:
        weighed = whole if question == self._request.question else await self._weighed(question, keys)
        return _PartVerdict(question, *weighed)

    async def _weighed(self, question: str, keys: Sequence[int]) -> tuple[SearchResult, Evidence]:
        """Return the pool as the question itself would have found it, and what it says about the question."""
        found = self._searches[question]
        if {hit.stored.key for hit in found.hits} != set(keys):
            found = await self._parts.retriever.weigh(self._search(question, len(keys)), set(keys))
        return found, await self._parts.assessor(question, found)

    def _quotes(self, verdict: _Verdict) -> list[str]:
        """Return the best sentences, and what each of the last searches brought first where it is something else."""
        quotes = verdict.quotes()[:_QUOTES]
        for found in list(self._searches.values())[:0:-1][:_QUOTES]:
            first = " ".join(found.hits[0].stored.chunk.text.split()) if found.hits else ""
            if first and not any(quote in first for quote in quotes):
                quotes.append(first)
        return quotes

    def _plan_request(self, verdict: _Verdict) -> PlanRequest:
        bounds = self._plan.bounds
        return PlanRequest(
            self._request.question,
            self._questions,
            verdict.missing(bounds.enough),
            tuple(self._searches),
            self._quotes(verdict),
            self._request.messages,
            verdict.found.collection.may_leave and self._request.history_may_leave,
            bounds.queries,
            max(0, bounds.tokens - sum(self._spent)),
        )


@dataclass(frozen=True, slots=True)
class _PartVerdict:
    """A part of the question, its passages in its own order, and what they say."""

    question: str
    found: SearchResult
    evidence: Evidence


@dataclass(frozen=True, slots=True)
class _Verdict:
    """A judgement.

    Attributes:
        found: The passages, in the whole question's order.
        whole: What they say about it.
        parts: The same for each of the questions that it asks; one, itself, where it asks one thing.
        min_support: Probability below which a part is not answered.
    """

    found: SearchResult
    whole: Evidence
    parts: tuple[_PartVerdict, ...]
    min_support: float

    @property
    def lowest(self) -> float:
        """Probability of the least supported part."""
        return min(one.evidence.support.p_supported for one in self.parts)

    def missing(self, threshold: float) -> tuple[str, ...]:
        """Return the parts below a threshold."""
        return tuple(one.question for one in self.parts if one.evidence.support.p_supported < threshold)

    def unanswered(self) -> tuple[str, ...]:
        """Return the parts that are not answered, where others are."""
        missing = self.missing(self.min_support)
        return missing if len(missing) < len(self.parts) else ()

    def evidence(self) -> Evidence:
        """Return what answers the whole: the sentences of the parts that are supported, or its own."""
        support = together(self.whole.support, [one.evidence.support for one in self.parts])
        answered = [one for one in self.parts if one.evidence.support.p_supported >= self.min_support]
        if not answered:
            return replace(self.whole, support=support)
        return Evidence(support, self._sentences(answered))

    def quotes(self) -> list[str]:
        """Return the words of the best sentences."""
        hits, sentences = self.found.hits, self.evidence().sentences
        return [" ".join(hits[s.passage - 1].stored.chunk.text[s.start : s.end].split()) for s in sentences]

    def _sentences(self, answered: Sequence[_PartVerdict]) -> list[EvidenceSentence]:
        """Return the parts' sentences, numbered as the whole's passages are, each once."""
        number = {hit.stored.key: n for n, hit in enumerate(self.found.hits, start=1)}
        out: dict[tuple[int, int, int], EvidenceSentence] = {}
        for part in answered:
            for one in part.evidence.sentences:
                key = part.found.hits[one.passage - 1].stored.key
                if key in number:  # else it was deleted in between
                    sentence = replace(one, passage=number[key])
                    out.setdefault((sentence.passage, one.start, one.end), sentence)
        return list(out.values())
