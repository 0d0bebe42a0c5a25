"""The half of the settings that an answer depends on."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from ragstead.model import Strategy
from ragstead.settings.embedding_models import EmbedderSettings
from ragstead.settings.section import Section


class ChunkerSettings(Section):
    """How texts are cut."""

    max_tokens: int = Field(254, ge=32)
    """Word pieces of heading path and chunk; all-MiniLM-L6-v2 reads 254 and its two special ones. Lower: finer hits."""
    target_tokens: int = Field(160, ge=16)
    """Word pieces up to which whole paragraphs are packed together, without the heading path."""
    overlap_tokens: int = Field(0, ge=0, le=100)
    """Word pieces that a chunk repeats of the one before it. Higher: fewer answers cut in two, a larger index."""


class RetrievalSettings(Section):
    """How evidence is found."""

    strategy: Strategy = Strategy.HYBRID
    fusion: Literal["convex", "convex-minmax", "rrf"] = "convex"
    """Weighted scores, each over its bound or over the candidates; or reciprocal ranks."""
    alpha: float = Field(0.5, ge=0, le=1)
    """Weight of the dense side. Higher: meaning over words."""
    candidates: int = Field(100, ge=1, le=1000)
    """Chunks that each side proposes. Higher: better recall, slower."""
    prefilter: int = Field(200, ge=1, le=5000)
    """Chunks that BM25 passes on under `prefilter`. Higher: better recall, slower."""
    bm25_engine: Literal["tantivy", "rank_bm25"] = "tantivy"
    pair_weight: float = Field(0.25, ge=0, le=1)
    """Weight of pairs of neighbouring words in BM25 (tantivy alone). Higher: phrases count more; 0: plain BM25."""
    reranker: str | None = None
    """Folder of a cross-encoder; needs the `torch` extra. Null: off."""
    rerank: int = Field(20, ge=1, le=200)
    """Chunks that the reranker reads. Higher: better order, slower."""


class AnswerSettings(Section):
    """How evidence becomes an answer."""

    generator: str = "extractive"
    """`extractive`: sentences of the evidence, quoted, no model; else one of `deployment.generation.models`."""
    fallbacks: tuple[str, ...] = ()
    """Models that are asked, in this order, where the first is down or busy; after them the extractive one."""
    prompt: str = "answer"
    """Template that a model is asked with: a file of `deployment.generation.prompts_dir`, or one that comes with us."""
    max_tokens: int = Field(300, ge=1)
    """Tokens of a model's answer, where the caller names no number. Higher: longer answers, fewer passages that fit."""
    temperature: float = Field(0, ge=0, le=2)
    """Of a model, where the caller names none. Higher: other words each time."""
    passages: int = Field(8, ge=1, le=50)
    """Chunks that an answer is made from. Higher: more evidence to pick from, slower."""
    min_answered: float = Field(0.98, gt=0, le=1)
    """Share of the answerable questions that are to be answered; the `p_supported` that an answer needs follows.
    Lower: fewer answers, and fewer wrong ones."""
    max_error: float | None = Field(None, gt=0, lt=1)
    """In its place: share of the answers given that may be unsupported, where half of the questions can't be answered.
    Lower: fewer wrong answers, and fewer answers."""
    min_support: float | None = Field(None, ge=0, le=1)
    """In place of both: the `p_supported` itself below which an answer is refused."""

    @model_validator(mode="after")
    def _one_rule_of_refusal(self) -> Self:
        if self.max_error is not None and self.min_support is not None:
            raise ValueError("max_error and min_support both say what is refused; leave one of them null")
        return self


class ConversationSettings(Section):
    """What is made of the turns before a question."""

    model: str | None = None
    """Makes follow-ups stand alone and sums up long histories: one of `deployment.generation.models`. Null: the
    answer's generator. `extractive`: no model, but rules and the latest turns."""
    max_history_tokens: int = Field(1500, ge=100)
    """Tokens of a kept conversation that a model reads. Higher: it remembers more, and fewer passages fit."""
    patience_s: float = Field(4, gt=0)
    """Seconds for the model to do either. Higher: fewer follow-ups left to the rules, later answers."""


class AgentSettings(Section):
    """How far `model: "ragstead-agent"` goes for its evidence."""

    planner: str | None = None
    """Model that plans searches, one of `deployment.generation.models`; `rules`: none does. Null: the one of
    `pipeline.answer.generator`, and with `extractive` there the rules."""
    max_steps: int = Field(3, ge=1, le=10)
    """Rounds of planning, searching and judging. Higher: more is found for hard questions, later."""
    max_queries: int = Field(4, ge=1, le=10)
    """Searches of one round, and questions that one question is cut into."""
    max_tokens: int = Field(6000, ge=0)
    """Tokens that a model may read and write while it plans; the answer has its own. 0: it is not asked."""
    patience_s: float = Field(10, gt=0)
    """Seconds for a model's plan. Higher: fewer plans left to the rules, later answers."""
    enough: float = Field(0.5, ge=0, le=1)
    """Probability of support from which no more is searched. Higher: more searches."""
    passages: int = Field(12, ge=1, le=50)
    """Chunks that an answer is made from where several searches were made and the caller names no number."""


class GuardSettings(Section):
    """What the guard does with what it finds, at every door."""

    injection: Literal["off", "flag", "refuse"] = "refuse"
    """A question that would change what a model was told: answered, answered and told on the receipt, or refused."""
    question_pii: Literal["off", "redact", "refuse"] = "off"
    """Personal data in a question: left alone, replaced by `<EMAIL>` and the like before anything is searched, or the
    question refused. Redacted, a question about a phone number no longer finds it."""
    languages: tuple[str, ...] = ()
    """Languages that may be asked in, such as `[en, de]`; one whose language can't be told passes. Empty: all."""
    passages: Literal["keep", "withhold", "demote", "drop"] = "withhold"
    """A passage that holds an injection: evidence like others, without the sentences that are the injection, behind all
    others, or not at all."""
    answer: Literal["off", "repair", "extractive", "refuse"] = "repair"
    """A sentence that its citations do not support: released, left out, the whole answer replaced by quotes, or
    refused. The last two release nothing before the whole answer is checked."""
    min_groundedness: float = Field(0.1, ge=0, le=1)
    """Probability of support below which a sentence is unsupported. Higher: fewer wrong sentences, fewer right ones."""
    answer_pii: Literal["off", "leaked", "all"] = "leaked"
    """Personal data taken out of answers: none, what stands in none of the sentence's citations, or all."""
    pii_kinds: tuple[Literal["email", "phone", "card", "iban", "ip_address", "domain", "us_ssn"], ...] = (
        "email",
        "phone",
        "card",
        "iban",
        "ip_address",
        "us_ssn",
    )
    """What counts as personal data in questions and answers."""

    @field_validator("injection", "question_pii", "answer", "answer_pii", mode="before")
    @classmethod
    def _off(cls, given: object) -> object:
        """Return `off` for what YAML makes of the bare word."""
        return "off" if given is False else given


class PipelineSettings(Section):
    """What an answer depends on."""

    chunker: ChunkerSettings = ChunkerSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    conversation: ConversationSettings = ConversationSettings()
    agent: AgentSettings = AgentSettings()
    guard: GuardSettings = GuardSettings()
