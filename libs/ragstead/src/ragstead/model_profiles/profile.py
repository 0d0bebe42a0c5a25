"""Named profiles of models that vLLM serves: YAML files, of the user's own folder or of those that come with us."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ragstead.errors import ConfigurationError, NotFound

Ability = Literal["chat", "tools", "response_format", "logprobs", "n"]


class ModelProfile(BaseModel):
    """How a model is served, and what it can do."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: str = Field(min_length=1)
    """Its name on the model hub, or a folder."""
    revision: str | None = None
    """Branch, tag or commit on the hub. A commit never changes; `main` does."""
    served_name: str = Field(min_length=1)
    """What requests call it."""
    api: Literal["chat", "completions"] = "chat"
    """How the platform asks it for answers; `completions` for base models, which continue a transcript."""
    can: Annotated[tuple[Ability, ...], Field(strict=False)] = ()
    """What its server does for those who name it: `chat`, and what a request may ask beyond words."""
    dtype: Literal["auto", "bfloat16", "float16", "float32"] = "auto"
    """`auto`: the checkpoint's own."""
    quantization: Literal["awq", "awq_marlin", "gptq", "gptq_marlin", "fp8"] | None = None
    """How its weights are packed. Null: vLLM reads it from the checkpoint."""
    max_length: int = Field(ge=256)
    """Tokens of prompt and answer together. Higher: more evidence fits, fewer requests at a time."""
    max_sequences: int = Field(64, ge=1)
    """Requests that are worked on together (continuous batching). Higher: more throughput, more memory, slower each."""
    gpu_memory_share: float | None = Field(0.9, gt=0, le=1)
    """Part of each GPU's memory for weights and cache. Null: no GPU."""
    tensor_parallel: int = Field(1, ge=1)
    """GPUs that the weights are spread over."""
    prefix_caching: bool = True
    """Keep what was computed for the beginning of a prompt: the same evidence is read once for several questions."""
    eager: bool = False
    """Compile nothing: a faster start and slower answers."""
    cpu_cache_gib: int | None = Field(None, ge=1)
    """Memory of the cache where there is no GPU."""
    cpu_threads: int | None = Field(None, ge=1)
    """Threads that compute where there is no GPU. Null: one for each core but one, which is left to all else."""
    chat_template: str | None = None
    """Jinja template of a model whose tokenizer has none."""
    tool_call_parser: str | None = None
    """vLLM's parser of the model's tool calls; null where it makes none."""

    @model_validator(mode="after")
    def _consistent(self) -> ModelProfile:
        if ("tools" in self.can) != (self.tool_call_parser is not None):
            raise ValueError("`tools` in `can` and `tool_call_parser` go together")
        if self.api == "chat" and "chat" not in self.can:
            raise ValueError("api chat needs `chat` in `can`")
        if (self.gpu_memory_share is None) != (self.cpu_cache_gib is not None):
            raise ValueError("either `gpu_memory_share`, or null there and `cpu_cache_gib`")
        if self.cpu_threads is not None and self.cpu_cache_gib is None:
            raise ValueError("`cpu_threads` goes with `cpu_cache_gib`")
        return self


def read_profile(name: str, own: Path | None = None) -> ModelProfile:
    """Return the profile `NAME.yaml` of the user's own folder, or else the one that comes with us.

    Raises:
        NotFound: If it is in neither.
        ConfigurationError: If it can't be read, or a field is unknown, missing or off; its message names the field.
    """
    for folder in _folders(own):
        path = folder / f"{name}.yaml"
        if path.is_file() and path.name == f"{name}.yaml":
            return _read(path)
    raise NotFound("profile", name, f"there are {', '.join(profile_names(own))}")


def profile_names(own: Path | None = None) -> list[str]:
    """Return the names of all profiles, sorted."""
    return sorted({path.stem for folder in _folders(own) for path in folder.glob("*.yaml")})


def _folders(own: Path | None) -> list[Path]:
    ours = Path(str(resources.files("ragstead.model_profiles"))) / "profiles"
    return [ours] if own is None else [own, ours]


def _read(path: Path) -> ModelProfile:
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {' '.join(str(error).split())}") from error
    try:
        return ModelProfile.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "profile"
        raise ConfigurationError(f"{path}: {where}: {first['msg']}", param=where) from error
