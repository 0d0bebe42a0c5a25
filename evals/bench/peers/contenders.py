"""The peers: what each is, the settings that its own documentation gives for CPUs, and how it is started.

All have the same weights. Where int8 on ONNX Runtime is documented as the fastest for a processor that isn't Intel's,
the peer gets the file that sentence-transformers' own exporter writes for this processor.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evals.bench.peers.environments import HERE, PEERS, call, make, python_of, version_in
from ragstead.bootstrap.models import weights_dir

MODEL = "all-MiniLM-L6-v2"
MAX_TOKENS = 256
REFERENCE = "sentence-transformers, torch"
ENVIRON = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "INFINITY_ANONYMOUS_USAGE_STATS": "0",
    "INFINITY_HOME": str(PEERS),
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "OMP_NUM_THREADS": "2",
}
"""Nothing is fetched or told, and torch has the two threads; ONNX Runtime takes one a core by itself."""
_ONNX_FILE = "onnx/model_quantized.onnx"
_QUANTISER = "sentence-transformers-onnx"


@dataclass(frozen=True)
class Start:
    """How a server is started.

    Attributes:
        command: The program and its words.
        folder: Where.
        ready: The path that answers 200 once it is ready.
    """

    command: list[str]
    folder: Path
    ready: str = "/health/ready"


@dataclass(frozen=True)
class Peer:
    """One other way to serve the model.

    Attributes:
        name: As in the table.
        environment: Of the lock.
        packages: Those whose versions are shown.
        settings: What is not its default, in words.
        start: Gives the start at a port; raises `Absent`.
    """

    name: str
    environment: str
    packages: tuple[str, ...]
    settings: str
    start: Callable[[int], Start]

    @property
    def version(self) -> str:
        """The versions that the lock holds."""
        found = [version_in(self.environment, package) for package in self.packages]
        first, *others = found
        names = [f"{name} {version}" for name, version in zip(self.packages[1:], others, strict=True)]
        return f"{first} ({', '.join(names)})" if names else first

    def prepare(self) -> None:
        """Makes the environment.

        Raises:
            Absent: If that can't be.
        """
        make(self.environment)


def quantised() -> Path:
    """The folder of the int8 model, made if need be.

    Raises:
        Absent: If it can't be made.
    """
    make(_QUANTISER)
    script = HERE / "scripts" / "quantise.py"
    parts = [script.read_bytes(), (HERE / f"{_QUANTISER}.lock").read_bytes(), str(weights_dir()).encode()]
    folder = PEERS / f"int8-{hashlib.sha256(b''.join(parts)).hexdigest()[:8]}"
    if not folder.is_dir():
        call([str(python_of(_QUANTISER)), str(script), str(weights_dir()), str(folder)], environ=ENVIRON)
    return folder


def quantised_for_infinity() -> Path:
    """The same with the graph where Infinity finds it in a local folder, and cut where the others cut.

    Infinity's onnx engine cuts a text at the positions that the model has (512), not at what it was trained with (256).

    Raises:
        Absent: If it can't be made.
    """
    made = quantised()
    folder = made.with_name(f"{made.name}-infinity")
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(made, folder)
    (folder / _ONNX_FILE).rename(folder / Path(_ONNX_FILE).name)
    (folder / "onnx").rmdir()
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"max_position_embeddings": MAX_TOKENS}), "utf-8")
    return folder


def plain(library: str, environment: str, *, onnx: bool) -> Callable[[int], Start]:
    """The start of a library behind the plain server."""

    def start(port: int) -> Start:
        words = [str(quantised()), str(port), _ONNX_FILE] if onnx else [str(weights_dir()), str(port)]
        script = HERE / "scripts" / "plain_server.py"
        return Start([str(python_of(environment)), str(script), library, *words], PEERS)

    return start


def infinity(environment: str, engine: str, *words: str) -> Callable[[int], Start]:
    """The start of Infinity's own server, in the folder of its model."""

    def start(port: int) -> Start:
        folder = quantised_for_infinity() if engine == "optimum" else weights_dir()
        command = [str(python_of(environment).with_name("infinity_emb")), "v2", "--model-id", ".", "--engine", engine]
        command += ["--served-model-name", MODEL, "--device", "cpu", "--url-prefix", "/v1", "--log-level", "warning"]
        return Start([*command, "--host", "127.0.0.1", "--port", str(port), *words], folder, "/health")

    return start


INT8 = "ONNX Runtime, int8 by its exporter"
CONTENDERS = (
    Peer(
        REFERENCE,
        "sentence-transformers",
        ("sentence-transformers",),
        "plain FastAPI server, fp32",
        plain("sentence-transformers", "sentence-transformers", onnx=False),
    ),
    Peer(
        "sentence-transformers, ONNX",
        "sentence-transformers-onnx",
        ("sentence-transformers", "optimum-onnx"),
        f"plain FastAPI server, {INT8}",
        plain("sentence-transformers", "sentence-transformers-onnx", onnx=True),
    ),
    Peer(
        "Infinity, torch",
        "infinity",
        ("infinity-emb", "optimum"),
        "its server, fp32, BetterTransformer",
        infinity("infinity", "torch"),
    ),
    Peer(
        "Infinity, optimum",
        "infinity-onnx",
        ("infinity-emb", "optimum-onnx"),
        "its server, ONNX Runtime, the same int8 file, mean pooling, cut at 256 tokens",
        infinity("infinity-onnx", "optimum", "--pooling-method", "mean"),
    ),
    Peer(
        "LangChain, HuggingFaceEmbeddings",
        "langchain",
        ("langchain-huggingface", "sentence-transformers"),
        "plain FastAPI server, ONNX Runtime, the same int8 file",
        plain("langchain", "langchain", onnx=True),
    ),
    Peer(
        "Haystack, SentenceTransformers embedders",
        "haystack",
        ("haystack-ai", "sentence-transformers-haystack"),
        "plain FastAPI server, ONNX Runtime, the same int8 file",
        plain("haystack", "haystack", onnx=True),
    ),
)
