"""Texts to unit vectors on ONNX Runtime, in slices that let other work in between."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidGraph, InvalidProtobuf, NoSuchFile

from ragstead.adapters.onnx_minilm.word_pieces import WordPieces
from ragstead.errors import Unavailable
from ragstead.model import Role
from ragstead.ports.work_pool import WorkPool

Floats = NDArray[np.float32]
Precision = Literal["fp32", "int8"]

DIM = 384
PASS_TOKENS = 512
"""Tokens that are embedded as one piece of work: more keeps a lone query waiting, less wastes turns."""

_SLICE_TEXTS = 64
_LOAD_ERRORS = (Fail, InvalidGraph, InvalidProtobuf, NoSuchFile, OSError)


class OnnxMiniLm:
    """Embeds texts with all-MiniLM-L6-v2; an `Embedder`, and by `pieces` a `TokenCounter`.

    The same text gives the same vector, whatever stands beside it. Roles are alike: the model knows no prefixes.

    A pass has one thread, and passes run beside each other: two of them on two cores embed 1.4 times the tokens of one
    pass with two threads, and a short query is faster alone on one than shared by two.
    """

    def __init__(
        self,
        folder: Path,
        pool: WorkPool,
        *,
        revision: str,
        precision: Precision = "int8",
        passes_at_once: int = 2,
        pieces: WordPieces | None = None,
    ) -> None:
        """Load what `export_minilm` wrote.

        Args:
            folder: Holds `int8.onnx` or `fp32.onnx`, and `tokenizer.json`.
            pool: Where the passes run.
            revision: Head of the weights' sha256, for the identity.
            precision: Which graph.
            passes_at_once: Passes of one call of `embed` that run beside each other; more than there are cores gains
                nothing, and as many as the pool has threads keep a lone query waiting.
            pieces: The tokenizer, to share one; None reads that of the folder.

        Raises:
            Unavailable: If a file is missing or damaged.
        """
        self._pool = pool
        self._revision = revision
        self._precision = precision
        self.pieces = pieces or WordPieces(folder / "tokenizer.json")
        self._passes_at_once = passes_at_once
        self._graph = Graph(folder / f"{precision}.onnx")

    @property
    def identity(self) -> str:
        """Name, revision and precision."""
        return f"all-MiniLM-L6-v2@{self._revision}/{self._precision}"

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return DIM

    async def embed(self, texts: Sequence[str], role: Role) -> Floats:  # noqa: ARG002
        """Return unit vectors of shape `[len(texts), 384]`; word pieces beyond 256 of a text are left out.

        Each pass (some 40 ms on one core) is a piece of work of its own, so that a lone query passes between those of
        a bulk job.
        """
        if len(texts) == 1:
            return await self._pool.run(lambda: self._graph.vectors(self.pieces.token_ids(texts)))
        rows: list[list[int]] = []
        for start in range(0, len(texts), _SLICE_TEXTS):
            piece = texts[start : start + _SLICE_TEXTS]
            rows += await self._pool.run(partial(self.pieces.token_ids, piece))
        vectors = np.empty((len(rows), DIM), dtype=np.float32)
        waiting = passes([len(row) for row in rows], PASS_TOKENS)

        async def work() -> None:
            for indices in waiting:
                vectors[indices] = await self._pool.run(partial(self._graph.vectors, [rows[i] for i in indices]))

        await asyncio.gather(*(work() for _ in range(self._passes_at_once)))
        return vectors


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
        return np.concatenate([self._vector(row) for row in rows])

    def _vector(self, row: Sequence[int]) -> Floats:
        ids = np.array([row], dtype=np.int64)
        try:
            (found,) = self._session.run(["embedding"], {"input_ids": ids, "attention_mask": np.ones_like(ids)})
        except Fail as error:
            raise Unavailable("embedding", f"the model failed on {len(row)} tokens: {error}") from error
        return np.asarray(found, dtype=np.float32)


def passes(lengths: Sequence[int], pass_tokens: int) -> Iterator[list[int]]:
    """Cut indices, longest text first, into passes of at most `pass_tokens` tokens, padding counted, one text at least.

    Longest first, so that the first pass claims the memory that all others reuse.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while order:
        size = max(1, pass_tokens // max(1, lengths[order[0]]))
        yield order[:size]
        order = order[size:]


def _options() -> onnxruntime.SessionOptions:
    """One thread a pass, see `OnnxMiniLm`."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return options
