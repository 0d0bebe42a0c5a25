"""The half of the settings that says where things run, and how much of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import Field

from ragstead.settings.embedding_service import EmbeddingServiceSettings
from ragstead.settings.generation import GenerationSettings
from ragstead.settings.judging import JudgingSettings
from ragstead.settings.live_scoring import LiveScoringSettings
from ragstead.settings.mlflow import MlflowSettings
from ragstead.settings.section import SecretReference, Section
from ragstead.settings.tracing import TracingSettings


class ParsingSettings(Section):
    """Limits of the child processes that read files."""

    processes: int = Field(1, ge=1, le=64)
    """Files read at the same time. Higher: faster on more cores, more memory."""
    timeout_s: float = Field(120, gt=0)
    memory_bytes: int = Field(2 << 30, ge=256 << 20)


class AnswerCacheRule(Section):
    """How long answers are kept that it is for: those to which all that is given applies."""

    collections: tuple[str, ...] = ()
    """Names or ids as requests have them."""
    words: tuple[str, ...] = ()
    """One of them stands in the question, as a word, in any case."""
    ttl_s: float = Field(ge=0)
    """0: not at all."""


class AnswerCacheSettings(Section):
    """Answers kept for the same question on the same documents. A change of the collection makes all of it a miss."""

    max_bytes: int = Field(16 << 20, ge=0)
    """In this process, for each length of time that a rule names; 0: none are kept. Higher: more hits."""
    url: SecretReference | None = None
    """Redis instead, by reference, such as `env:REDIS_URL`; shared by replicas."""
    ttl_s: float = Field(3600, ge=0)
    """For questions that no rule is for; 0: not at all."""
    rules: tuple[AnswerCacheRule, ...] = ()
    """The first that applies decides."""


class DeploymentSettings(Section):
    """Where things run, and how much of them."""

    data_dir: Path = Path(".ragstead")
    models_dir: Path = Path(sys.prefix) / "share" / "ragstead" / "models"
    """Where the embedding graph lies; built there from the weights where it is missing."""
    host: str = "127.0.0.1"
    """Any other address than loopback needs `api_keys`."""
    port: int = Field(8080, ge=0, le=65535)
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """`Host` headers that are answered; others get 403."""
    allowed_origins: tuple[str, ...] = ()
    """`Origin` headers beside our own; others get 403."""
    api_keys: tuple[SecretReference, ...] = ()
    """Bearer tokens by reference, `env:NAME` or `file:PATH`. Empty: loopback only, no key needed."""
    max_upload_bytes: int = Field(64 << 20, ge=1)
    max_body_bytes: int = Field(16 << 20, ge=1024)
    max_question_chars: int = Field(8000, ge=1)
    max_waiting: int = Field(256, ge=1)
    """Requests in flight before 429. Higher: longer waits instead of refusals."""
    cpu_threads: int = Field(0, ge=0)
    """Threads of the embedding model; 0: one for each core, at most 8."""
    metadata_url: str | None = None
    """SQLAlchemy URL; null: SQLite in the data directory."""
    milvus_uri: str | None = None
    """Address of a Milvus server; null: Milvus Lite in the data directory."""
    parsing: ParsingSettings = ParsingSettings()
    embedding: EmbeddingServiceSettings = EmbeddingServiceSettings()
    generation: GenerationSettings = GenerationSettings()
    answer_cache: AnswerCacheSettings = AnswerCacheSettings()
    mlflow: MlflowSettings = MlflowSettings()
    tracing: TracingSettings = TracingSettings()
    live_scoring: LiveScoringSettings = LiveScoringSettings()
    judging: JudgingSettings = JudgingSettings()

    @property
    def threads(self) -> int:
        """Threads of the embedding model, counted out."""
        return self.cpu_threads or min(8, usable_cores())


def usable_cores() -> int:
    """Cores that this process may use; a container's quota of time is not among what it knows."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity else os.cpu_count() or 1
