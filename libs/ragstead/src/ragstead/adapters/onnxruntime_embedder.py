"""The embedder on ONNX Runtime: quantisation and verification of its graph, and batched inference.

The int8 graph quantises activations per tensor and at run time, so a text's vector depends slightly (cosine about
0.999) on the batch it stands in. On x86-64 without VNNI its products may saturate; `verify_graph` notices.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from ragstead.errors import ConfigurationError
from ragstead.model import Role
from ragstead.ports.work_pool import WorkPool

Floats = NDArray[np.float32]
Encoder = Callable[[Sequence[str]], list[list[int]]]

MIN_COSINE_FP32 = 0.9999
MIN_COSINE_INT8 = 0.98


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """What a graph is.

    Attributes:
        path: The ONNX file: `input_ids`, `attention_mask` int64 [n, t] to `embedding` float32 [n, dim].
        identity: Model, revision and precision.
        dim: Width of a vector.
    """

    path: Path
    identity: str
    dim: int = 384


class OnnxEmbedder:
    """Is the `Embedder` port on ONNX Runtime, on the CPU.

    A long list is embedded in batches of bounded size, each a piece of work of its own in the pool, so that a lone
    query finds a thread between them.

    Args:
        graph: The graph and what it is.
        encode: Texts to token ids, cut at the model's length.
        pool: Where the work runs.
        threads: Threads of one forward pass. More than the cores that are free makes it slower.
        batch_tokens: Padded tokens of a forward pass; bounds the memory of the activations.

    Raises:
        ConfigurationError: If the graph is not there or does not load.
    """

    def __init__(
        self, graph: GraphSpec, encode: Encoder, pool: WorkPool, *, threads: int, batch_tokens: int = 4096
    ) -> None:
        self._graph = graph
        self._encode = encode
        self._pool = pool
        self._batch_tokens = batch_tokens
        self._session = _session(graph.path, threads)

    @property
    def identity(self) -> str:
        """Model, revision and precision."""
        return self._graph.identity

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._graph.dim

    async def embed(self, texts: Sequence[str], role: Role) -> Floats:  # noqa: ARG002  (this model knows no roles)
        """Return unit vectors of shape `[len(texts), dim]` in the order of the texts."""
        if len(texts) == 1:
            return await self._pool.run(lambda: self._forward(self._encode(texts)))
        rows = await self._pool.run(lambda: self._encode(texts))
        vectors = np.zeros((len(rows), self.dim), dtype=np.float32)
        for indices in batches([len(row) for row in rows], self._batch_tokens):
            batch = [rows[i] for i in indices]
            vectors[indices] = await self._pool.run(partial(self._forward, batch))
        return vectors

    def _forward(self, rows: Sequence[Sequence[int]]) -> Floats:
        (vectors,) = self._session.run(["embedding"], pad(rows))
        return np.asarray(vectors, dtype=np.float32)


def batches(lengths: Sequence[int], batch_tokens: int) -> Iterator[list[int]]:
    """Cut indices, longest text first, into batches of at most `batch_tokens` padded tokens, at least one text each.

    Longest first, so that the first pass claims the memory that all others reuse.
    """
    order = sorted(range(len(lengths)), key=lambda i: -lengths[i])
    while order:
        size = max(1, batch_tokens // max(1, lengths[order[0]]))
        yield order[:size]
        order = order[size:]


def pad(rows: Sequence[Sequence[int]]) -> dict[str, NDArray[np.int64]]:
    """Return token ids as the graph's inputs, padded with 0 to the longest row: int64 [n, t] each."""
    shape = (len(rows), max(map(len, rows)))
    ids, mask = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return {"input_ids": ids, "attention_mask": mask}


def quantise(fp32: Path, target: Path) -> None:
    """Write the dynamically quantised graph (23 MB) of the float32 one; weights int8 per output channel.

    Raises:
        OSError: If a file can't be read or written.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic  # noqa: PLC0415  (slow, at set-up only)

    quantize_dynamic(fp32, target, per_channel=True, weight_type=QuantType.QInt8)


def verify_graph(graph: Path, reference: Path, min_cosine: float) -> float:
    """Compare a graph's vectors, computed as one padded batch, with recorded ones.

    Args:
        graph: The ONNX file.
        reference: JSON `{"input_ids": [[...]], "vectors": [[...]]}`: the vectors of a float64 BERT in numpy.
        min_cosine: Least cosine of each text.

    Returns:
        The lowest cosine over the texts.

    Raises:
        ConfigurationError: If that is below `min_cosine`, or not a number.
    """
    recorded = json.loads(reference.read_text("utf-8"))
    (vectors,) = _session(graph, 1).run(["embedding"], pad(recorded["input_ids"]))
    worst = float(np.min(np.sum(vectors * np.asarray(recorded["vectors"], dtype=np.float32), axis=1)))
    if not worst >= min_cosine:
        raise ConfigurationError(
            f"{graph}: cosine {worst:.5f} to the recorded vectors, {min_cosine} expected; delete it to build it anew"
        )
    return worst


def _session(path: Path, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # threads that wait sleep: the machine is shared with Milvus, tantivy and the event loop
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except (RuntimeError, ValueError, OSError) as exc:  # ONNX Runtime's own errors derive from these
        raise ConfigurationError(f"{path} can't be loaded: {exc}; `ragstead models export` builds it anew") from exc
