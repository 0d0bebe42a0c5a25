"""The embedding model: where its weights are, its graphs built and verified before they are used."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragstead.adapters.onnx_minilm import OnnxMiniLm, WordPieces
from ragstead.adapters.onnx_minilm.checkpoint import REVISION, installed_checkpoint
from ragstead.adapters.onnx_minilm.session import Precision
from ragstead.ports.encoder import Encoder
from ragstead.settings import Settings

_PRECISIONS: dict[str, Precision] = {"onnx-int8": "int8", "onnx-fp32": "fp32"}


def weights_dir() -> Path:
    """Return the folder of the installed weights: `model.safetensors` and `tokenizer.json`.

    Raises:
        Unavailable: If the package that carries them is not installed.
    """
    return installed_checkpoint()


def export_models(settings: Settings) -> dict[str, str]:
    """Build the graphs that are missing, verify them, and return their files by runtime.

    Two processes that do it at once build them once. No torch, no network.

    Raises:
        Unavailable: If the weights are missing or not those that were reviewed, or the disk is full.
        ConfigurationError: If a graph does not reproduce the recorded vectors on this processor.
    """
    from ragstead.adapters.onnx_minilm.export import export_minilm  # noqa: PLC0415  (imports onnx)

    folder = models_folder(settings)
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        for precision in _PRECISIONS.values():
            export_minilm(installed_checkpoint(), folder, precision=precision)
    return {runtime: str(folder / f"{precision}.onnx") for runtime, precision in _PRECISIONS.items()}


def verify_models(settings: Settings) -> dict[str, float]:
    """Return the lowest cosine to the recorded vectors by runtime, of the graphs that are there.

    Raises:
        ConfigurationError: If one does not reproduce them.
    """
    from ragstead.adapters.onnx_minilm.export import verify_graph  # noqa: PLC0415  (imports onnx)

    paths = {runtime: models_folder(settings) / f"{precision}.onnx" for runtime, precision in _PRECISIONS.items()}
    return {runtime: verify_graph(path, _PRECISIONS[runtime]) for runtime, path in paths.items() if path.is_file()}


def models_folder(settings: Settings) -> Path:
    """Return where the graphs of the model lie."""
    return settings.deployment.models_dir / f"all-minilm-l6-v2-{REVISION}"


def open_encoder(settings: Settings, pieces: WordPieces | None = None) -> Encoder:
    """Return the configured embedding model; its graph is built first where it is missing.

    Args:
        settings: Which one.
        pieces: The tokenizer of the ONNX graphs, to share one; None: it reads its own.

    Raises:
        Unavailable: If it can't be had.
    """
    runtime = settings.pipeline.embedder.runtime
    if runtime == "sentence-transformers":
        from ragstead.adapters.sentence_transformers import SentenceTransformersEncoder  # noqa: PLC0415  (brings torch)

        return SentenceTransformersEncoder(weights_dir(), name=f"all-MiniLM-L6-v2@{REVISION}")
    precision = _PRECISIONS[runtime]
    if not (models_folder(settings) / f"{precision}.onnx").is_file():
        export_models(settings)
    return OnnxMiniLm(models_folder(settings), revision=REVISION, precision=precision, pieces=pieces)


def open_word_pieces() -> WordPieces:
    """Return the model's tokenizer.

    Raises:
        Unavailable: If the weights are not installed.
    """
    return WordPieces(weights_dir() / "tokenizer.json")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
