"""Settings to the values that pipelines know: the last place where settings are read."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import resources
from typing import Any

from ragstead.answering.selection import SelectionSettings, sentence_selector
from ragstead.answering.support import support_model
from ragstead.bootstrap.agent import planner_name
from ragstead.bootstrap.chat_models import chat_models
from ragstead.bootstrap.conversations import dialogue_model_name, dialogue_templates
from ragstead.bootstrap.embedding import EmbeddingModel
from ragstead.bootstrap.generation import prompt_templates
from ragstead.bootstrap.routing import open_routing
from ragstead.chunking import chunk, indexed_title
from ragstead.errors import ConfigurationError
from ragstead.fusion import FusionPlan
from ragstead.model import Chunk, ExtractedText
from ragstead.pipelines.answer import AnswerPlan
from ragstead.pipelines.assess import EvidenceAssessor
from ragstead.pipelines.ingest_worker import Chunker
from ragstead.pipelines.retrieve import RetrievalPlan
from ragstead.pipelines.template_choice import TemplateChoice
from ragstead.ports.embedder import Embedder
from ragstead.ports.work_pool import WorkPool
from ragstead.prompting import PLANNING_INSTRUCTIONS
from ragstead.releases import content_hash, release_id
from ragstead.relevance import Relevance
from ragstead.sentences import spans
from ragstead.settings import Settings

_SPECIAL_TOKENS = 2


def recipe_of(settings: Settings) -> str:
    """Return a hash of what chunks are made by; documents made by another are made again when handed in."""
    return content_hash(settings.pipeline.chunker.model_dump(mode="json"))[:16]


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


def answer_plan(settings: Settings, index_identity: str) -> AnswerPlan:
    """Return how evidence becomes an answer, under the release's id."""
    answer = settings.pipeline.answer
    served = chat_models(settings)
    reader = dialogue_model_name(settings)
    readers = [reader] if reader is not None and reader in served else []
    planner = planner_name(settings)
    planners = [planner] if planner in served else []
    writers = open_routing(settings).names
    parts = {
        "pipeline": settings.pipeline.model_dump(mode="json", exclude={"embedder": {"models"}}),
        "index": index_identity,
        "weights": fitted_weights(),
        "models": {name: served[name].model or name for name in {*writers, *readers, *planners}},
        "prompts": {name: asdict(one) for name, one in prompt_templates(settings).items()} if writers else None,
        "dialogue": {name: asdict(one) for name, one in dialogue_templates(settings).items()} if readers else None,
        "planning": PLANNING_INSTRUCTIONS if planners else None,
    }
    return AnswerPlan(answer.min_support, release_id(parts), template_choice(settings))


def template_choice(settings: Settings) -> TemplateChoice:
    """Return the prompt templates that requests may name."""
    templates, answer = prompt_templates(settings), settings.pipeline.answer
    topical = frozenset(name for name, one in templates.items() if one.gate == "topic")
    return TemplateChoice(tuple(templates), answer.prompt, topical, bool(open_routing(settings).names))


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


def fitted_weights() -> dict[str, Any]:
    """Return the numbers that `evals/fitting/answering.py` fitted: of sentence selection, support and relevance."""
    text = resources.files("ragstead.answering").joinpath("weights.json").read_text("utf-8")
    weights: dict[str, Any] = json.loads(text)
    return weights


def relevance_model() -> Relevance:
    """Return what turns raw scores into probabilities."""
    return Relevance(**fitted_weights()["relevance"])


def open_assessor(embedder: Embedder, pool: WorkPool) -> EvidenceAssessor:
    """Return what weighs the evidence."""
    weights = fitted_weights()
    return EvidenceAssessor(
        embedder, pool, sentence_selector(weights["sentences"]), support_model(weights["support"]), SelectionSettings()
    )
