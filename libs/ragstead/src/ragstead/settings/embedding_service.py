"""Where texts are embedded, and the embeddings API."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from ragstead.settings.section import SecretReference, Section


class HostedEmbeddingSettings(Section):
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


class RemoteEmbeddingSettings(Section):
    """A `ragstead serve embedding` that embeds for this process."""

    url: str = Field(pattern="^https?://")
    """Where it, or the balancer before several, is to be found."""
    api_key: SecretReference | None = None
    timeout_s: float = Field(30, gt=0)


class EmbeddingServiceSettings(Section):
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
