"""Token ids to unit vectors on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

from ragstead.adapters.onnx_runtime.record import FORM, read_record
from ragstead.adapters.onnx_runtime.word_pieces import WordPieces
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.model import Role
from ragstead.ports.encoder import EncoderSpec

Floats = NDArray[np.float32]
Precision = Literal["fp32", "int8"]

_SLOW_FUSIONS = ["SkipLayerNormFusion"]
"""Rewritings of the graph left out: ONNX Runtime 1.31 takes four times as long for an addition and a normalisation in
one node as for two nodes, a quarter of a pass, and its sums are less exact (int8 ranks SciFact at nDCG@10 0.6576 with
it and 0.6603 without)."""

_OUTPUTS = ["embedding"]
_LOAD_ERRORS = (Fail, InvalidGraph, InvalidProtobuf, NoSuchFile, OSError)


class OnnxEncoder:
    """Is an embedding model on ONNX Runtime as an `Encoder`.

    A pass has one thread, and passes run beside each other: two of them on two cores embed 1.4 times the tokens of one
    pass with two threads, and a short query is faster alone on one than shared by two (all-MiniLM-L6-v2).
    """

    def __init__(self, folder: Path, spec: EncoderSpec, *, precision: Precision = "int8") -> None:
        """Load what `export_graphs` wrote.

        Args:
            folder: Holds `int8.onnx` or `fp32.onnx`, `tokenizer.json` and `model.json`.
            spec: How the model is read.
            precision: Which graph.

        Raises:
            Unavailable: If a file is missing or damaged.
            ConfigurationError: If the graph pools otherwise than `spec` says.
        """
        record = read_record(folder)
        if record is None or record.form != FORM:
            raise Unavailable("embedding", f"{folder} holds no model that this version exported; export it again")
        if record.pooling != spec.pooling:
            raise ConfigurationError(
                f"the graphs in {folder} have {record.pooling} pooling and {spec.name} is said to have {spec.pooling}; "
                "delete the folder and export the model again",
                param="pipeline.embedder.models",
            )
        self._spec = spec
        self._identity = spec.identity(record.weights_sha256[:8], precision)
        self._pieces = WordPieces(folder)
        self._graph = Graph(folder / f"{precision}.onnx", spec.dim)

    @property
    def identity(self) -> str:
        """Name, revision and precision."""
        return self._identity

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._spec.dim

    @property
    def max_tokens(self) -> int:
        """Tokens of a row that the model was trained to read."""
        return self._spec.max_tokens

    @property
    def device(self) -> str:
        """Where it runs."""
        return "cpu"

    def device_memory(self) -> None:
        """Return None: it holds no GPU's memory."""
        return

    def tokenize(self, texts: Sequence[str], role: Role, *, at_most: int | None = None) -> list[list[int]]:
        """Return the row of each text, the prefix of its role before it."""
        prefix = self._spec.prefix(role)
        return self._pieces.rows([prefix + text for text in texts] if prefix else texts, at_most=at_most)

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own ids."""
        return self._pieces.framed(ids)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, the special ones left out; it is a `TokenCounter` too."""
        return self._pieces.counts(texts)

    def encode(self, rows: Sequence[Sequence[int]]) -> Floats:
        """Return unit vectors of shape `[len(rows), dim]`, the same for a row whatever stands beside it."""
        return self._graph.vectors(rows)


class Graph:
    """Is one loaded graph; safe to call from several threads."""

    def __init__(self, path: Path, dim: int) -> None:
        """Load the graph at `path`, whose vectors have `dim` numbers.

        Raises:
            Unavailable: If it is missing or damaged.
        """
        self._dim = dim
        providers = ["CPUExecutionProvider"]
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _options(), providers=providers, disabled_optimizers=_SLOW_FUSIONS
            )
        except _LOAD_ERRORS as error:
            raise Unavailable("embedding", f"can't load the model {path}: {error}; export it again") from error

    def vectors(self, rows: Sequence[Sequence[int]]) -> Floats:
        """Run the graph over rows of token ids, one at a time: float32 [n, dim], unit length.

        The int8 graph scales activations over all that it is given at once, so in company a text's vector would
        depend on the company (by a cosine of 0.005). Alone it is always the same, and batches were not faster.

        Raises:
            Unavailable: If there is no memory for it.
        """
        return np.concatenate([np.empty((0, self._dim), dtype=np.float32), *(self._vector(row) for row in rows)])

    def _vector(self, row: Sequence[int]) -> Floats:
        ids = np.array([row], dtype=np.int64)
        try:
            (found,) = self._session.run(_OUTPUTS, {"input_ids": ids})
        except Fail as error:
            raise Unavailable("embedding", f"the model failed on {len(row)} tokens: {error}") from error
        return np.asarray(found, dtype=np.float32)


def _options() -> onnxruntime.SessionOptions:
    """One thread a pass, see `OnnxEncoder`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options
