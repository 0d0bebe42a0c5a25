"""Where traces go, and the spans around what a platform is composed of: none where nothing keeps them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ragstead.analysis import analyse
from ragstead.guardrails.pii import redact
from ragstead.pipelines.answer import Assessor
from ragstead.pipelines.asking import Answerer
from ragstead.pipelines.kept_traces import FirstThatKnows
from ragstead.pipelines.live_release import Retriever
from ragstead.pipelines.retrieve import RetrievalPlan, RetrieveParts, RetrievePipeline
from ragstead.pipelines.traced.answerer import TracedAnswerer
from ragstead.pipelines.traced.guard import TracedGuard
from ragstead.pipelines.traced.retrieval import (
    TracedAssessor,
    TracedEmbedder,
    TracedIndexes,
    TracedReranker,
    TracedRetriever,
)
from ragstead.pipelines.traced.searching import TracedDoorSearches
from ragstead.pipelines.traced.writing import TracedGenerator, TracedPlanner, TracedStepGraph, TracedVerifier
from ragstead.pipelines.verify import Verifier
from ragstead.ports.answer_traces import AnswerTraces
from ragstead.ports.embedder import Embedder
from ragstead.ports.generator import Generator
from ragstead.ports.guard import Guard
from ragstead.ports.planner import Planner
from ragstead.ports.step_graph import StepGraph
from ragstead.ports.tracer import Tracer
from ragstead.sentences import spans
from ragstead.settings import LangfuseSettings, Settings, TracingSettings, environment_for_traces, resolve_secret
from ragstead.tracing import NoTracer, Writer, WritingRules

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class Tracing:
    """Puts spans around the parts of a platform.

    Attributes:
        tracer: Takes the traces.
        is_on: Whether anything keeps them; else each part is returned as it is.
    """

    tracer: Tracer
    is_on: bool

    def retriever(self, parts: RetrieveParts, plan: RetrievalPlan) -> RetrievePipeline:
        """Return what finds."""
        if not self.is_on:
            return RetrievePipeline(parts, plan)
        reranker = None if parts.reranker is None else TracedReranker(parts.reranker)
        traced = replace(
            parts, indexes=TracedIndexes(parts.indexes), embedder=TracedEmbedder(parts.embedder), reranker=reranker
        )
        return TracedRetriever(traced, plan)

    def searches(self, retriever: Retriever) -> Retriever:
        """Return what finds for those who ask for hits, each search a trace."""
        return TracedDoorSearches(retriever, self.tracer) if self.is_on else retriever

    def embedder(self, embedder: Embedder) -> Embedder:
        """Return what embeds for answers."""
        return TracedEmbedder(embedder) if self.is_on else embedder

    def assessor(self, assessor: Assessor) -> Assessor:
        """Return what weighs the evidence."""
        return TracedAssessor(assessor) if self.is_on else assessor

    def generator(self, generator: Generator) -> Generator:
        """Return what writes."""
        return TracedGenerator(generator) if self.is_on else generator

    def verifier(self, guard: Guard) -> Verifier:
        """Return what checks."""
        return TracedVerifier(spans, analyse, guard) if self.is_on else Verifier(spans, analyse, guard)

    def guard(self, guard: Guard) -> Guard:
        """Return what judges."""
        return TracedGuard(guard) if self.is_on else guard

    def planner(self, planner: Planner) -> Planner:
        """Return what plans an agent's searches."""
        return TracedPlanner(planner) if self.is_on else planner

    def graph(self, graph: StepGraph) -> StepGraph:
        """Return what takes an agent's steps."""
        return TracedStepGraph(graph) if self.is_on else graph

    def answerer(self, answerer: Answerer) -> Answerer:
        """Return what answers, every door's way through it a trace."""
        return TracedAnswerer(answerer, self.tracer) if self.is_on else answerer


def with_mlflow(settings: Settings, url: str | None) -> Settings:
    """Return the settings with traces in the MLflow that the platform has, where they name no other.

    Args:
        settings: As configured.
        url: Of that server; None where it has none.
    """
    given = settings.deployment.tracing
    if url is None or given.mlflow_url is not None or not given.mlflow:
        return settings
    traced = settings.deployment.model_copy(update={"tracing": given.model_copy(update={"mlflow_url": url})})
    return settings.model_copy(update={"deployment": traced})


def open_tracing(settings: Settings, stack: AsyncExitStack) -> Tracing:
    """Return what traces; sending what waits goes on `stack`, and lasts no longer than the settings say.

    Raises:
        ConfigurationError: If a reference to a key leads nowhere.
    """
    given = settings.deployment.tracing
    token = settings.deployment.mlflow.token
    backends = _backends(given, resolve_secret(token) if token is not None and given.mlflow_url is not None else "")
    if not backends:
        return Tracing(NoTracer(), is_on=False)
    from ragstead.adapters.tracing_process import ProcessTracer, TracingLimits  # noqa: PLC0415  (when it is on)

    limits = TracingLimits(given.max_waiting, given.sample_rate, min(0.5, given.interval_s), given.shutdown_s)
    tracer = ProcessTracer(backends, environment_for_traces(), Writer(writing_rules(given)), limits)
    stack.push_async_callback(asyncio.to_thread, tracer.close)
    return Tracing(tracer, is_on=True)


def open_answer_traces(settings: Settings, stack: AsyncExitStack) -> AnswerTraces | None:
    """Return what reads traced answers back; None where nothing keeps them.

    MLflow is asked first, which has a trace sooner, and then Langfuse.

    Raises:
        ConfigurationError: If a reference to a key or the server's token leads nowhere.
    """
    given = settings.deployment.tracing
    stores: list[AnswerTraces] = []
    if given.mlflow_url is not None:
        stores.append(_answers_in_mlflow(settings, given.mlflow_url, stack))
    if given.langfuse is not None:
        stores.append(_answers_in_langfuse(given, given.langfuse, stack))
    return FirstThatKnows(stores) if stores else None


def _answers_in_mlflow(settings: Settings, url: str, stack: AsyncExitStack) -> AnswerTraces:
    from ragstead.adapters.mlflow_answer_traces import MlflowAnswerTraces  # noqa: PLC0415  (httpx, when it is on)

    token = settings.deployment.mlflow.token
    traces = MlflowAnswerTraces(
        url, resolve_secret(token) if token is not None else None, settings.deployment.tracing.timeout_s
    )
    stack.push_async_callback(traces.close)
    return traces


def _answers_in_langfuse(given: TracingSettings, project: LangfuseSettings, stack: AsyncExitStack) -> AnswerTraces:
    from ragstead.adapters.langfuse_answer_traces import (  # noqa: PLC0415  (httpx, when it is on)
        LangfuseAnswerTraces,
        LangfuseReader,
    )

    keys = resolve_secret(project.public_key), resolve_secret(project.secret_key)
    traces = LangfuseAnswerTraces(LangfuseReader(project.host, *keys, given.timeout_s, _is_far(project.host)))
    stack.push_async_callback(traces.close)
    return traces


def writing_rules(given: TracingSettings) -> WritingRules:
    """Return what may leave the house."""
    return WritingRules(
        given.contents != "none", given.contents == "all", redact if given.redact else None, given.max_chars
    )


def _backends(given: TracingSettings, mlflow_token: str) -> Mapping[str, object]:
    """Return what the process that sends is told of each backend."""
    every = {"environment": given.environment, "timeout_s": given.timeout_s}
    every |= {"waiting": given.max_waiting, "interval_s": given.interval_s}
    out: dict[str, object] = {}
    if given.langfuse is not None:
        keys = {
            "public_key": resolve_secret(given.langfuse.public_key),
            "secret_key": resolve_secret(given.langfuse.secret_key),
        }
        out["langfuse"] = {"host": given.langfuse.host, **keys, **every, "far": _is_far(given.langfuse.host)}
    if given.mlflow_url is not None:
        where = {"url": given.mlflow_url, "experiment": given.experiment, "token": mlflow_token}
        out["mlflow"] = {**where, **every, "far": _is_far(given.mlflow_url)}
    return out


def _is_far(url: str) -> bool:
    """Whether it is another machine's."""
    return urlsplit(url).hostname not in _LOOPBACK
