"""The answering pipeline of one release, composed over stores and models that outlive it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from ragstead.adapters.extractive import ExtractiveGenerator
from ragstead.adapters.sqlalchemy_metadata import Database, SqlConversations, SqlConversationTurns, SqlLiveChunks
from ragstead.analysis import analyse
from ragstead.bootstrap.agent import LazyStepGraph, agent_plan, open_planner
from ragstead.bootstrap.answer_cache import CacheOf, cached
from ragstead.bootstrap.blueprints import Blueprint, blueprint_of
from ragstead.bootstrap.conversations import open_memory
from ragstead.bootstrap.embedding import EmbeddingModel
from ragstead.bootstrap.generation import open_generator
from ragstead.bootstrap.guarding import open_guard, reply_policy
from ragstead.bootstrap.plans import answer_plan, open_assessor, relevance_model, retrieval_plan
from ragstead.bootstrap.reranking import open_reranker
from ragstead.bootstrap.tracing import Tracing
from ragstead.pipelines.answer import AnswerPipeline, OneSearch
from ragstead.pipelines.bare_guard import DoorGuard, KnownVerdicts
from ragstead.pipelines.converse import ConversationPipeline
from ragstead.pipelines.costs import BilledAnswers, CostBook
from ragstead.pipelines.deliberate import AgentFinder, AgentParts, ChosenFinder
from ragstead.pipelines.door_search import GuardedDoorSearches
from ragstead.pipelines.guarded import GuardedAnswers, GuardedSearches
from ragstead.pipelines.live_release import Composition
from ragstead.pipelines.retrieve import RetrieveParts
from ragstead.pipelines.sample_scoring import SampleScoring
from ragstead.pipelines.sampled import SampledAnswers
from ragstead.ports.indexes import Indexes
from ragstead.ports.registry import Ground, Release
from ragstead.ports.reranker import Reranker
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings


@dataclass(frozen=True, slots=True)
class Foundations:
    """What releases are composed over, the same for all of them.

    Attributes:
        settings: As configured; their `deployment` is every release's.
        database: Of the metadata.
        indexes: The physical indexes.
        embedding: What embeds.
        reranker: The configured one, if any.
        pool: Where work runs.
        ground: What a release has to fit.
        cache_of: Where answers are kept.
        tracing: What puts spans around them.
        scoring: What scores a sample of the answers, if anything does.
        costs: What models cost.
    """

    settings: Settings
    database: Database
    indexes: Indexes
    embedding: EmbeddingModel
    reranker: Reranker | None
    pool: WorkPool
    ground: Ground
    cache_of: CacheOf
    tracing: Tracing
    scoring: SampleScoring | None = None
    costs: CostBook = field(default_factory=CostBook)


class Composer:
    """Composes releases.

    Args:
        foundations: What they share.
    """

    def __init__(self, foundations: Foundations) -> None:
        self._on = foundations
        self._steps = LazyStepGraph(foundations.pool)

    @property
    def foundations(self) -> Foundations:
        """What the releases share."""
        return self._on

    async def of_release(self, release: Release) -> Composition:
        """Return the pipelines of a release.

        Raises:
            Conflict: If it can't be honoured here; the message says what of it.
            Unavailable, ConfigurationError: If a model of it can't be had.
        """
        return await self.of_blueprint(blueprint_of(release, self._on.settings, self._on.ground))

    async def of_blueprint(self, blueprint: Blueprint) -> Composition:
        """Return the pipelines of a blueprint.

        Raises:
            Unavailable, ConfigurationError: If a model of it can't be had.
        """
        async with AsyncExitStack() as stack:
            reranker = await self._reranker(blueprint.settings)
            composition = self._compose(blueprint, reranker, stack)
            composition.close = stack.pop_all().aclose
            return composition

    async def _reranker(self, settings: Settings) -> Reranker | None:
        if settings.pipeline.retrieval.reranker == self._on.settings.pipeline.retrieval.reranker:
            return self._on.reranker
        return await self._on.pool.run(lambda: open_reranker(settings, self._on.pool))

    def _compose(self, blueprint: Blueprint, reranker: Reranker | None, stack: AsyncExitStack) -> Composition:
        on, settings, tracing = self._on, blueprint.settings, self._on.tracing
        live = SqlLiveChunks(on.database)
        parts = RetrieveParts(
            live=live,
            indexes=on.indexes,
            embedder=on.embedding.pipeline,
            analyser=analyse,
            relevance=relevance_model(blueprint),
            index_identity=on.ground.index,
            reranker=reranker,
            leaves=on.embedding.leaves,
        )
        retriever = tracing.retriever(parts, retrieval_plan(settings))
        generator = open_generator(settings, on.embedding.counter, blueprint.templates, stack)
        planner = tracing.planner(open_planner(settings, blueprint.planning, stack))
        assessor = tracing.assessor(open_assessor(blueprint, tracing.embedder(on.embedding.pipeline), on.pool))
        guard = tracing.guard(open_guard(settings, on.pool))
        searches = GuardedSearches(retriever, guard)
        plan = answer_plan(blueprint)
        finder = ChosenFinder(
            OneSearch(searches, assessor, settings.pipeline.answer.passages),
            AgentFinder(
                AgentParts(searches, assessor, planner, tracing.graph(self._steps)),
                agent_plan(settings, plan.min_support),
            ),
        )
        quoter = ExtractiveGenerator(on.embedding.counter)
        answering = AnswerPipeline(finder, tracing.generator(generator), tracing.verifier(guard), plan, quoter)
        temperature = settings.pipeline.answer.temperature
        answerer = cached(answering, (live, generator), plan.release, temperature, on.cache_of)
        turns = SqlConversationTurns(on.database)
        memory = open_memory(settings, blueprint.dialogue, turns, stack)
        conversing = ConversationPipeline(answerer, memory, live.collection, SqlConversations(on.database), turns)
        billed = BilledAnswers(conversing, on.costs)
        sampled = billed if on.scoring is None else SampledAnswers(billed, on.scoring)
        guarded = GuardedAnswers(sampled, guard, live.collection, plan.release)
        bare = open_guard(settings, on.pool, settings.deployment.generation.bare_models.injection)
        door = DoorGuard(plan.release, tracing.guard(bare), reply_policy(settings), KnownVerdicts())
        moves = settings.pipeline.guard.passages in ("demote", "drop")
        searching = tracing.searches(GuardedDoorSearches(retriever, guard, live.collection, moves=moves))
        return Composition(plan.release, searching, tracing.answerer(guarded), door=door)
