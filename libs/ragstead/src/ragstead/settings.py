"""THE settings: one YAML of two halves, read once, at the composition root.

`pipeline` is what an answer depends on, and is hashed into the release; `deployment` is where things run, and never is.
Secrets stand in it by reference alone: `env:NAME` or `file:PATH`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ragstead.errors import ConfigurationError
from ragstead.model import Strategy

SecretReference = Annotated[str, Field(pattern=r"^(env:\w+|file:.+)$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChunkerSettings(_Section):
    """How texts are cut."""

    max_tokens: int = Field(254, ge=32, le=254)
    """Word pieces of heading path and chunk; the model reads 254 and its two special ones. Lower: finer hits."""
    target_tokens: int = Field(160, ge=16, le=254)
    """Word pieces up to which whole paragraphs are packed together, without the heading path."""
    overlap_tokens: int = Field(0, ge=0, le=100)
    """Word pieces that a chunk repeats of the one before it. Higher: fewer answers cut in two, a larger index."""


class RetrievalSettings(_Section):
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


class AnswerSettings(_Section):
    """How evidence becomes an answer."""

    generator: Literal["extractive"] = "extractive"
    passages: int = Field(8, ge=1, le=50)
    """Chunks that an answer is made from. Higher: more evidence to pick from, slower."""
    min_support: float = Field(0.08, ge=0, le=1)
    """Probability of support below which an answer is refused. Higher: fewer answers, and fewer wrong ones."""


class EmbedderSettings(_Section):
    """Which model embeds."""

    model: Literal["all-MiniLM-L6-v2"] = "all-MiniLM-L6-v2"
    runtime: Literal["onnx-int8", "onnx-fp32", "sentence-transformers"] = "onnx-int8"
    """`onnx-int8` is two to three times faster than the others; `sentence-transformers` needs the `torch` extra."""


class PipelineSettings(_Section):
    """What an answer depends on."""

    chunker: ChunkerSettings = ChunkerSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()


class ParsingSettings(_Section):
    """Limits of the child processes that read files."""

    processes: int = Field(1, ge=1, le=64)
    """Files read at the same time. Higher: faster on more cores, more memory."""
    timeout_s: float = Field(120, gt=0)
    memory_bytes: int = Field(2 << 30, ge=256 << 20)


class EmbeddingServiceSettings(_Section):
    """The embeddings API: a part of the gateway, and a service of its own."""

    port: int = Field(8081, ge=0, le=65535)
    """Of `ragstead serve embedding`; the gateway has its own."""
    aliases: Mapping[str, str] = {
        "text-embedding-ada-002": "all-MiniLM-L6-v2",
        "text-embedding-3-small": "all-MiniLM-L6-v2",
    }
    """Names that requests may use for our models, as applications that were written for OpenAI do."""
    max_inputs: int = Field(2048, ge=1)
    """Inputs of one request, as OpenAI has it."""
    max_waiting_tokens: int = Field(2_000_000, ge=1)
    """Tokens that may wait before 429. Higher: longer waits instead of refusals."""
    cache_bytes: int = Field(64 << 20, ge=0)
    """Vectors kept in this process; 0: none. Higher: more texts that need not be embedded again."""
    cache_url: SecretReference | None = None
    """Redis instead, by reference, such as `env:REDIS_URL`; shared by replicas."""
    cache_ttl_s: float = Field(30 * 86400, gt=0)


class DeploymentSettings(_Section):
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

    @property
    def threads(self) -> int:
        """Threads of the embedding model, counted out."""
        return self.cpu_threads or min(8, os.cpu_count() or 1)


class Settings(_Section):
    """Both halves."""

    pipeline: PipelineSettings = PipelineSettings()
    deployment: DeploymentSettings = DeploymentSettings()


def load_settings(
    path: Path | None, *, data_dir: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Return the settings of a YAML file, or the defaults where `path` is None.

    Args:
        path: The file.
        data_dir: Overrides the file's, and the environment's RAGSTEAD_DATA_DIR.
        environ: The environment.

    Raises:
        ConfigurationError: If the file is not there, is no YAML, or has a field that is unknown or off.
    """
    raw = _read(path) if path is not None else {}
    directory = data_dir or environ.get("RAGSTEAD_DATA_DIR")
    if directory:
        deployment = raw.get("deployment") or {}
        if not isinstance(deployment, dict):
            raise ConfigurationError(f"{path}: deployment must be a mapping", param="deployment")
        raw = {**raw, "deployment": {**deployment, "data_dir": str(directory)}}
    try:
        return Settings.model_validate(raw)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{path or 'settings'}: {where}: {first['msg']}", param=where) from exc


def resolve_secret(reference: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the secret that `env:NAME` or `file:PATH` stands for, without white space at its ends.

    Raises:
        ConfigurationError: If it is not there or empty; the secret itself is never in the message.
    """
    kind, _, name = reference.partition(":")
    try:
        value = environ.get(name, "") if kind == "env" else Path(name).read_text("utf-8")
    except OSError as exc:
        raise ConfigurationError(f"the secret {reference!r} can't be read: {exc.strerror}") from exc
    if not value.strip():
        raise ConfigurationError(f"the secret {reference!r} is empty or not set")
    return value.strip()


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigurationError(f"{path} can't be read: {exc}") from exc
    except yaml.YAMLError as exc:
        raise ConfigurationError(f"{path} is no YAML: {' '.join(str(exc).split())}") from exc
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise ConfigurationError(f"{path} must hold a mapping with `pipeline` and `deployment`")
    return raw
