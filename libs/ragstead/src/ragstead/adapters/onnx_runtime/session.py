"""Token ids to unit vectors on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

from ragstead.adapters.onnx_runtime.record import FORM, GraphRecord, part_paths, read_record, whole_path
from ragstead.adapters.onnx_runtime.word_pieces import WordPieces
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.model import Role
from ragstead.ports.encoder import Breathe, EncoderSpec

Floats = NDArray[np.float32]
Precision = Literal["fp32", "int8"]

_SLOW_FUSIONS = ["SkipLayerNormFusion"]
"""Rewritings of the graph left out: ONNX Runtime 1.31 takes four times as long for an addition and a normalisation in
one node as for two nodes, a quarter of a pass, and its sums are less exact (int8 ranks SciFact at nDCG@10 0.6576 with
it and 0.6603 without)."""

_LOAD_ERRORS = (Fail, InvalidGraph, InvalidProtobuf, NoSuchFile, OSError)


class OnnxEncoder:
    """Is an embedding model on ONNX Runtime as an `Encoder`.

    A pass has one thread, and passes run beside each other: two of them on two cores embed 1.4 times the tokens of one
    pass with two threads, and a short query is faster alone on one than shared by two (all-MiniLM-L6-v2).
    """

    def __init__(self, folder: Path, spec: EncoderSpec, *, precision: Precision = "int8") -> None:
        """Load what `export_graphs` wrote.

        Args:
            folder: Holds the graph, `tokenizer.json` and `model.json`.
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
        self._graph = load_graph(folder, precision, record, spec.dim)

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

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> Floats:
        """Return unit vectors of shape `[len(rows), dim]`, the same for a row whatever stands beside it.

        `breathe` is called before each row, and where it wants short steps, or the model is a large one, before each
        half of a layer: every 0.5 ms or so for 128 tokens (MiniLM, int8).
        """
        return self._graph.vectors(rows, breathe)


def load_graph(folder: Path, precision: Precision, record: GraphRecord, dim: int) -> Graph:
    """Load a graph in all the ways in which it is there.

    Raises:
        Unavailable: If a file is missing or damaged.
    """
    whole = whole_path(folder, precision) if precision in record.whole else None
    return Graph(part_paths(folder, precision, record.parts), dim, whole)


class Graph:
    """Is one loaded graph, in parts and perhaps in one; safe to call from several threads.

    In one a row takes 5 % less, and a short one 15 %. Beside work of the interpreter's it takes less by far: each part
    waits for the interpreter's lock when it is done.
    """

    def __init__(self, parts: Sequence[Path], dim: int, whole: Path | None = None) -> None:
        """Load the files; its vectors have `dim` numbers.

        Raises:
            Unavailable: If one is missing or damaged.
        """
        self._dim = dim
        self._parts = [_Part(path) for path in parts]
        self._whole = [_Part(whole)] if whole is not None else self._parts

    def vectors(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> Floats:
        """Run the graph over rows of token ids, one at a time: float32 [n, dim], unit length.

        Args:
            rows: Of 1 to `max_tokens` ids.
            breathe: Called before each row, and before each part of a row that is run in parts; may block.

        The int8 graph scales activations over all that it is given at once, so in company a text's vector would
        depend on the company (by a cosine of 0.005). Alone it is always the same, and batches were not faster.

        Raises:
            Unavailable: If there is no memory for it.
        """
        vectors = (self._vector(row, breathe) for row in rows)
        return np.concatenate([np.empty((0, self._dim), dtype=np.float32), *vectors])

    def _vector(self, row: Sequence[int], breathe: Breathe | None) -> Floats:
        tensors: dict[str, NDArray[np.generic]] = {"input_ids": np.array([row], dtype=np.int64)}
        in_short_steps = breathe is not None and breathe()
        try:
            for n, part in enumerate(self._parts if in_short_steps else self._whole):
                if n and breathe is not None:
                    breathe()
                part.add_to(tensors)
        except Fail as error:
            raise Unavailable("embedding", f"the model failed on {len(row)} tokens: {error}") from error
        return np.asarray(tensors["embedding"], dtype=np.float32)


class _Part:
    """One part of a graph, and the tensors at its ends."""

    def __init__(self, path: Path) -> None:
        _share_memory()
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _options(), providers=["CPUExecutionProvider"], disabled_optimizers=_SLOW_FUSIONS
            )
        except _LOAD_ERRORS as error:
            raise Unavailable("embedding", f"can't load the model {path}: {error}; export it again") from error
        self._inputs = [one.name for one in self._session.get_inputs()]
        self._outputs = [one.name for one in self._session.get_outputs()]

    def add_to(self, tensors: dict[str, NDArray[np.generic]]) -> None:
        """Compute this part from the tensors of those before it."""
        given = {name: tensors[name] for name in self._inputs}
        tensors.update(zip(self._outputs, self._session.run(self._outputs, given), strict=True))


@cache
def _share_memory() -> None:
    """Have all parts use one pool of memory: with one each, rows of 128 tokens take 8 % longer, as caches hold less."""
    kind = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    memory = onnxruntime.OrtMemoryInfo("Cpu", kind, 0, onnxruntime.OrtMemType.DEFAULT)
    onnxruntime.create_and_register_allocator(memory, None)


def _options() -> onnxruntime.SessionOptions:
    """One thread a pass, see `OnnxEncoder`, and the memory of `_share_memory`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.use_env_allocators", "1")
    return options
