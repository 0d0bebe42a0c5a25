"""The embedding models: graphs built and verified before they are used, and opened."""

from __future__ import annotations

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ragstead.adapters.onnx_runtime import OnnxEncoder, Precision, WordPieces, is_built
from ragstead.bootstrap.model_sources import find_checkpoint, spec_of
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.ports.encoder import Encoder
from ragstead.settings import EMBEDDING_MODELS, Settings

_PRECISIONS: dict[str, Precision] = {"onnx-int8": "int8", "onnx-fp32": "fp32"}
GRAPH_RUNTIMES = tuple(_PRECISIONS)
"""Runtimes that compute a graph built here."""

_DEFAULT = next(iter(EMBEDDING_MODELS))


def weights_dir() -> Path:
    """Return the folder of the default model's installed checkpoint.

    Raises:
        Unavailable: If the package that carries it is not installed, and the hub can't be asked.
    """
    return find_checkpoint(Settings(), _DEFAULT)


def export_models(
    settings: Settings, name: str | None = None, runtimes: Sequence[str] = GRAPH_RUNTIMES
) -> dict[str, str]:
    """Build a model's graphs that are missing, prove them, and return their files by runtime.

    Two processes that do it at once build them once. No torch; no network where the checkpoint is on this disk.

    Args:
        settings: Where models are.
        name: Which one; None for the configured one.
        runtimes: `onnx-int8`, `onnx-fp32`.

    Raises:
        Unavailable: If the weights are missing or not those that were reviewed, or the disk is full.
        ConfigurationError: If the model has no graph, or a graph does not reproduce the reference on this processor.
    """
    from ragstead.adapters.onnx_runtime.export import export_graphs  # noqa: PLC0415  (imports onnx)

    name = name or settings.pipeline.embedder.model
    row = settings.pipeline.embedder.models[name]
    folder = graphs_folder(settings, name)
    precisions = [_PRECISIONS[runtime] for runtime in runtimes]
    source = find_checkpoint(settings, name)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            export_graphs(
                source,
                folder,
                spec_of(settings, name),
                precisions=precisions,
                weights_sha256=row.weights_sha256,
            )
    except OSError as error:
        raise Unavailable("embedding", f"can't export {name} to {folder}: {error}") from error
    return {runtime: str(folder / f"{_PRECISIONS[runtime]}.onnx") for runtime in runtimes}


def verify_models(settings: Settings) -> dict[str, float]:
    """Return the lowest cosine to the recorded vectors by runtime, of the configured model's graphs that are there.

    Raises:
        ConfigurationError: If one does not reproduce them.
    """
    from ragstead.adapters.onnx_runtime.export import verify_graph  # noqa: PLC0415  (imports onnx)

    name = settings.pipeline.embedder.model
    folder = graphs_folder(settings, name)
    return {
        runtime: verify_graph(folder, precision, spec_of(settings, name)).cosine
        for runtime, precision in _PRECISIONS.items()
        if is_built(folder, precision)
    }


def graphs_folder(settings: Settings, name: str) -> Path:
    """Return where the graphs of a model lie."""
    row = settings.pipeline.embedder.models[name]
    slug = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    return settings.deployment.models_dir / f"{slug}-{row.revision[:8]}"


def open_encoder(settings: Settings, name: str | None = None) -> Encoder:
    """Return an embedding model on the configured runtime; its graph is built first where it is missing or old.

    Args:
        settings: The runtime, and where models are.
        name: Which one; None for the configured one.

    Raises:
        Unavailable: If it can't be had.
        ConfigurationError: If it does not fit its description, or the runtime does not compute in this process.
    """
    name = name or settings.pipeline.embedder.model
    runtime = settings.pipeline.embedder.runtime
    if runtime == "hosted":
        raise ConfigurationError(f"{name} is hosted, it can't be opened here", param="pipeline.embedder.runtime")
    if runtime == "sentence-transformers":
        return _open_torch(settings, name)
    precision = _PRECISIONS[runtime]
    folder = graphs_folder(settings, name)
    if not is_built(folder, precision):
        export_models(settings, name, [runtime])
    return OnnxEncoder(folder, spec_of(settings, name), precision=precision)


def _open_torch(settings: Settings, name: str) -> Encoder:
    from ragstead.adapters.onnx_runtime.checkpoint import sha256_of  # noqa: PLC0415  (beside torch)
    from ragstead.adapters.sentence_transformers import SentenceTransformersEncoder  # noqa: PLC0415  (brings torch)

    folder = find_checkpoint(settings, name)
    expected = settings.pipeline.embedder.models[name].weights_sha256
    return SentenceTransformersEncoder(
        folder,
        spec_of(settings, name),
        weights_sha256=sha256_of(folder / "model.safetensors", expected=expected),
        precision=settings.pipeline.embedder.precision,
        device=settings.deployment.embedding.device,
    )


def open_word_pieces() -> WordPieces:
    """Return the default model's tokenizer, which counts for models that are not in this process.

    The word pieces of BERT: all-MiniLM-L6-v2, bge, e5 and gte share them, and MPNet's are the same but for five.

    Raises:
        Unavailable: If the checkpoint is not installed.
    """
    return WordPieces(weights_dir())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
