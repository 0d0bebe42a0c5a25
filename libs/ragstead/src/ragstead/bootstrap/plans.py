"""Settings to the values that pipelines know: the last place where settings are read."""

from __future__ import annotations

from ragstead.adapters.tokenizers_wordpiece import WordPieces
from ragstead.fusion import FusionPlan
from ragstead.pipelines.answer import AnswerPlan
from ragstead.pipelines.ingest_worker import Chunker
from ragstead.pipelines.retrieve import RetrievalPlan
from ragstead.releases import content_hash, release_id
from ragstead.settings import Settings


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
    parts = {"pipeline": settings.pipeline.model_dump(mode="json"), "index": index_identity}
    return AnswerPlan(answer.passages, answer.min_support, release_id(parts))
