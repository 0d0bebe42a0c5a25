"""Settings to the values that pipelines know: the last place where settings are read."""

from __future__ import annotations

from ragstead.analysis import ANALYSIS_IDENTITY
from ragstead.answering.selection import SelectionSettings, sentence_selector
from ragstead.answering.support import support_model
from ragstead.bootstrap.blueprints import Blueprint
from ragstead.bootstrap.embedding import EmbeddingModel
from ragstead.bootstrap.refusal import refusal_threshold
from ragstead.bootstrap.routing import open_routing
from ragstead.chunking import chunk, indexed_title
from ragstead.errors import ConfigurationError
from ragstead.fusion import FusionPlan
from ragstead.model import Chunk, ExtractedText
from ragstead.pipelines.answer import AnswerPlan
from ragstead.pipelines.assess import EvidenceAssessor
from ragstead.pipelines.ingest_parts import Chunker
from ragstead.pipelines.retrieve import RetrievalPlan
from ragstead.pipelines.template_choice import TemplateChoice
from ragstead.ports.embedder import Embedder
from ragstead.ports.work_pool import WorkPool
from ragstead.releases import content_hash
from ragstead.relevance import Relevance
from ragstead.sentences import spans
from ragstead.settings import Settings

_SPECIAL_TOKENS = 2


def recipe_of(settings: Settings) -> str:
    """Return a hash of what chunks are made by; documents made by another are made again when handed in."""
    return content_hash(settings.pipeline.chunker.model_dump(mode="json"))[:16]


def index_identity_of(settings: Settings, embedder_identity: str) -> str:
    """Return what indexes are made with: the embedder, the analysis of words, and the engine of BM25."""
    engine = settings.pipeline.retrieval.bm25_engine
    pairs = settings.pipeline.retrieval.pair_weight > 0 and engine == "tantivy"
    return f"{embedder_identity} {ANALYSIS_IDENTITY} {engine}{'+pairs' if pairs else ''}"


def retrieval_plan(settings: Settings) -> RetrievalPlan:
    """Return how evidence is found."""
    retrieval = settings.pipeline.retrieval
    return RetrievalPlan(
        retrieval.strategy,
        FusionPlan(retrieval.fusion, retrieval.alpha),
        retrieval.candidates,
        retrieval.prefilter,
        retrieval.rerank,
    )


def answer_plan(blueprint: Blueprint) -> AnswerPlan:
    """Return how evidence becomes an answer, under the release's id."""
    threshold = refusal_threshold(blueprint.settings.pipeline.answer, blueprint.weights)
    policy = blueprint.settings.pipeline.guard.answer
    unsupported = policy if policy in ("extractive", "refuse") else "repair"
    return AnswerPlan(threshold, blueprint.release.release_id, template_choice(blueprint), unsupported)


def template_choice(blueprint: Blueprint) -> TemplateChoice:
    """Return the prompt templates that requests may name."""
    templates, answer = blueprint.templates, blueprint.settings.pipeline.answer
    topical = frozenset(name for name, one in templates.items() if one.gate == "topic")
    return TemplateChoice(tuple(templates), answer.prompt, topical, bool(open_routing(blueprint.settings).names))


def chunker_of(settings: Settings, embedding: EmbeddingModel) -> Chunker:
    """Return the configured chunker.

    Raises:
        ConfigurationError: If its chunks are longer than what the model reads.
    """
    sizes = settings.pipeline.chunker
    pieces = embedding.counter
    prefix = settings.pipeline.embedder.models[embedding.name].passage_prefix
    room = embedding.pipeline.max_tokens - _SPECIAL_TOKENS - pieces.counts([prefix])[0]
    if sizes.max_tokens > room or sizes.target_tokens > sizes.max_tokens:
        raise ConfigurationError(
            f"chunks of up to {sizes.max_tokens} tokens, {sizes.target_tokens} packed together, do not fit: "
            f"{embedding.name} reads {room}",
            param="pipeline.chunker.max_tokens",
        )

    def cut(extracted: ExtractedText) -> tuple[str, list[Chunk]]:
        chunks = chunk(
            extracted,
            pieces,
            spans,
            max_tokens=sizes.max_tokens,
            target_tokens=sizes.target_tokens,
            overlap_tokens=sizes.overlap_tokens,
        )
        return indexed_title(extracted.title, pieces), chunks

    return cut


def relevance_model(blueprint: Blueprint) -> Relevance:
    """Return what turns raw scores into probabilities."""
    return Relevance(**blueprint.weights["relevance"])


def open_assessor(blueprint: Blueprint, embedder: Embedder, pool: WorkPool) -> EvidenceAssessor:
    """Return what weighs the evidence."""
    weights = blueprint.weights
    return EvidenceAssessor(
        embedder, pool, sentence_selector(weights["sentences"]), support_model(weights["support"]), SelectionSettings()
    )
