"""Token ids to unit vectors on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

from ragstead.adapters.onnx_minilm.word_pieces import MAX_TOKENS, WordPieces
from ragstead.errors import Unavailable
from ragstead.model import Role

Floats = NDArray[np.float32]
Precision = Literal["fp32", "int8"]

DIM = 384
_LOAD_ERRORS = (Fail, InvalidGraph, InvalidProtobuf, NoSuchFile, OSError)


class OnnxMiniLm:
    """Is all-MiniLM-L6-v2 as an `Encoder`. Roles are alike: the model knows no prefixes.

    A pass has one thread, and passes run beside each other: two of them on two cores embed 1.4 times the tokens of one
    pass with two threads, and a short query is faster alone on one than shared by two.
    """

    def __init__(
        self, folder: Path, *, revision: str, precision: Precision = "int8", pieces: WordPieces | None = None
    ) -> None:
        """Load what `export_minilm` wrote.

        Args:
            folder: Holds `int8.onnx` or `fp32.onnx`, and `tokenizer.json`.
            revision: Head of the weights' sha256, for the identity.
            precision: Which graph.
            pieces: The tokenizer, to share one; None reads that of the folder.

        Raises:
            Unavailable: If a file is missing or damaged.
        """
        self._revision = revision
        self._precision = precision
        self._pieces = pieces or WordPieces(folder / "tokenizer.json")
        self._graph = Graph(folder / f"{precision}.onnx")

    @property
    def identity(self) -> str:
        """Name, revision and precision."""
        return f"all-MiniLM-L6-v2@{self._revision}/{self._precision}"

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return DIM

    @property
    def max_tokens(self) -> int:
        """Tokens of a row that the model was trained to read."""
        return MAX_TOKENS

    def tokenize(self, texts: Sequence[str], role: Role, *, at_most: int | None = None) -> list[list[int]]:  # noqa: ARG002
        """Return the row of each text."""
        return self._pieces.rows(texts, at_most=at_most)

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own ids."""
        return self._pieces.framed(ids)

    def encode(self, rows: Sequence[Sequence[int]]) -> Floats:
        """Return unit vectors of shape `[len(rows), 384]`, the same for a row whatever stands beside it."""
        return self._graph.vectors(rows)


class Graph:
    """Is one loaded graph; safe to call from several threads."""

    def __init__(self, path: Path) -> None:
        """Load the graph at `path`.

        Raises:
            Unavailable: If it is missing or damaged.
        """
        providers = ["CPUExecutionProvider"]
        try:
            self._session = onnxruntime.InferenceSession(str(path), _options(), providers=providers)
        except _LOAD_ERRORS as error:
            raise Unavailable("embedding", f"can't load the model {path}: {error}; export it again") from error

    def vectors(self, rows: Sequence[Sequence[int]]) -> Floats:
        """Run the graph over rows of token ids, one at a time: float32 [n, 384], unit length.

        The int8 graph scales activations over all that it is given at once, so in company a text's vector would
        depend on the company (by a cosine of 0.005). Alone it is always the same, and batches were not faster.

        Raises:
            Unavailable: If there is no memory for it.
        """
        return np.concatenate([np.empty((0, DIM), dtype=np.float32), *(self._vector(row) for row in rows)])

    def _vector(self, row: Sequence[int]) -> Floats:
        ids = np.array([row], dtype=np.int64)
        try:
            (found,) = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        except Fail as error:
            raise Unavailable("embedding", f"the model failed on {len(row)} tokens: {error}") from error
        return np.asarray(found, dtype=np.float32)


def _options() -> onnxruntime.SessionOptions:
    """One thread a pass, see `OnnxMiniLm`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options
