"""Builds the graphs from the weights, once, and proves them before they are used."""

from __future__ import annotations

import importlib.resources
import json
import logging
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import QuantType, quantize_dynamic

from ragstead.adapters.onnx_runtime.checkpoint import EncoderShape, Weights, read_shape, read_weights, sha256_of
from ragstead.adapters.onnx_runtime.graph import build_graph, cut_graph, cuts_of, parts_of, write_graph
from ragstead.adapters.onnx_runtime.record import (
    FORM,
    GraphRecord,
    part_paths,
    read_record,
    whole_path,
    write_record,
)
from ragstead.adapters.onnx_runtime.reference import reference_vectors
from ragstead.adapters.onnx_runtime.session import Graph, Precision, load_graph
from ragstead.adapters.onnx_runtime.word_pieces import WordPieces
from ragstead.errors import ConfigurationError, Unavailable
from ragstead.model import Role
from ragstead.ports.encoder import EncoderSpec

MIN_COSINE: dict[Precision, float] = {"fp32": 0.9999, "int8": 0.98}
"""What a graph's vectors must reach against those computed in double precision."""

MAX_RANK_LOSS = 0.05
"""What int8 may lose of the mean reciprocal rank of fp32 on the small set."""

_LARGEST_WHOLE_BYTES = 100 << 20
"""A graph up to that size is kept in one file beside its parts, and loaded twice; parts of a larger one take so long
that what lies between them does not count."""

_REFERENCE = "reference_vectors.json"
_RANKING = "ranking.json"


@dataclass(frozen=True, slots=True)
class Proof:
    """How a graph did.

    Attributes:
        cosine: The lowest to the reference vectors, in one padded batch.
        reciprocal_rank: Mean over the questions of the small set.
    """

    cosine: float
    reciprocal_rank: float


def export_graphs(
    source: Path,
    target: Path,
    spec: EncoderSpec,
    *,
    precisions: Sequence[Precision] = ("int8",),
    weights_sha256: str | None = None,
) -> GraphRecord:
    """Write graphs and the tokenizer of the checkpoint in `source` to the folder `target`.

    Takes about 2 s for all-MiniLM-L6-v2. Graphs are proven first, and each file appears whole or not at all; a graph
    that is there already is left as it is, unless an older version wrote it.

    Args:
        source: Holds `config.json`, `model.safetensors` and `tokenizer.json`.
        target: Made if missing; of all-MiniLM-L6-v2 47 MB for int8, 181 MB for fp32.
        spec: How the checkpoint is read.
        precisions: Which graphs. int8 takes two thirds of the time of fp32.
        weights_sha256: What the weights' hash must be; None: any.

    Returns:
        What the folder holds.

    Raises:
        Unavailable: If a file is missing, damaged or not the expected one, or the disk is full.
        ConfigurationError: If the model is of a kind that has no graph, does not fit `spec`, or its graph's vectors are
            wrong on this processor; int8 products may saturate on x86-64 without VNNI.
    """
    sha256 = sha256_of(source / "model.safetensors", expected=weights_sha256)
    try:
        target.mkdir(parents=True, exist_ok=True)
        known = _known(target, sha256, spec)
        parts = parts_of(read_shape(source))
        missing = [one for one in precisions if not known.has(target, one)]
        with tempfile.TemporaryDirectory(dir=target) as folder:
            made = _Making(Path(folder), source, spec, sha256, missing)
            proofs = made.proven()
            record = GraphRecord(
                sha256,
                spec.pooling,
                {**known.cosines, **{one: proof.cosine for one, proof in proofs.items()}},
                {**known.reciprocal_ranks, **{one: proof.reciprocal_rank for one, proof in proofs.items()}},
                FORM,
                parts,
                [*(one for one in known.whole if one not in missing), *_in_one_file(Path(folder), missing)],
            )
            graphs = [path.name for one in missing for path in record.paths(target, one)]
            for name in ("tokenizer.json", _REFERENCE, *graphs):
                if (Path(folder) / name).exists():
                    (Path(folder) / name).replace(target / name)
        write_record(target, record)
    except OSError as error:
        raise Unavailable("embedding", f"can't export the model to {target}: {error}") from error
    return record


def verify_graph(folder: Path, precision: Precision, spec: EncoderSpec, record: GraphRecord | None = None) -> Proof:
    """Return how the graph of that precision in `folder` does; its cosine is that of the worse way of running it.

    Args:
        folder: Holds the graph, the tokenizer and the recorded vectors.
        precision: Which graph.
        spec: How the model is read.
        record: What there is of it; None: as `model.json` says.

    Raises:
        Unavailable: If a file is missing or damaged.
        ConfigurationError: If its vectors are too far from those that were recorded when it was made.
    """
    try:
        recorded = json.loads((folder / _REFERENCE).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Unavailable("embedding", f"can't read {folder / _REFERENCE}: {error}; export the model again") from error
    record = record or read_record(folder)
    if record is None:
        raise Unavailable("embedding", f"{folder} holds no record of its graphs; export the model again")
    graph = load_graph(folder, precision, record, spec.dim)
    return Proof(_cosine(graph, precision, recorded), _reciprocal_rank(graph, WordPieces(folder), spec))


def _in_one_file(folder: Path, precisions: Iterable[Precision]) -> list[Precision]:
    return [one for one in precisions if whole_path(folder, one).exists()]


def _known(target: Path, sha256: str, spec: EncoderSpec) -> GraphRecord:
    """What the folder says of graphs that may stay; a folder of other weights is refused."""
    record = read_record(target)
    none = GraphRecord(sha256, spec.pooling, {}, {}, FORM)
    if record is None:
        return none
    if (record.weights_sha256, record.pooling) != (sha256, spec.pooling):
        raise ConfigurationError(
            f"{target} holds graphs of other weights ({record.weights_sha256[:8]}, {record.pooling} pooling) than "
            f"{sha256[:8]}, {spec.pooling}; give the model another name or revision, or delete the folder",
            param="pipeline.embedder.models",
        )
    return record if record.form == FORM else none


@dataclass(frozen=True, slots=True)
class _Making:
    """One export under way, in a folder of its own."""

    folder: Path
    source: Path
    spec: EncoderSpec
    sha256: str
    wanted: Sequence[Precision]

    def proven(self) -> Mapping[Precision, Proof]:
        """Build what is wanted, and return how each does.

        Raises:
            ConfigurationError: If a graph is wrong.
        """
        shutil.copyfile(self.source / "tokenizer.json", self.folder / "tokenizer.json")
        if not self.wanted:
            return {}
        self._build()
        parts, whole = parts_of(read_shape(self.source)), _in_one_file(self.folder, MIN_COSINE)
        made = GraphRecord(self.sha256, self.spec.pooling, {}, {}, FORM, parts, whole)
        proofs = {
            precision: verify_graph(self.folder, precision, self.spec, made) for precision in ("fp32", *self.wanted)
        }
        lost = proofs["fp32"].reciprocal_rank - proofs.get("int8", proofs["fp32"]).reciprocal_rank
        if lost > MAX_RANK_LOSS:
            raise _wrong("int8", f"its mean reciprocal rank on a small set is {lost:.3f} below fp32's")
        return {precision: proofs[precision] for precision in self.wanted}

    def _build(self) -> None:
        weights = read_weights(self.source / "model.safetensors")
        shape = read_shape(self.source)
        if shape.width != self.spec.dim or shape.positions < self.spec.max_tokens:
            raise ConfigurationError(
                f"{self.source} has vectors of {shape.width} numbers and reads {shape.positions} tokens, "
                f"{self.spec.name} is said to have {self.spec.dim} and {self.spec.max_tokens}",
                param="pipeline.embedder.models",
            )
        whole, quantised = self.folder / "whole.onnx", self.folder / "quantised.onnx"
        write_graph(build_graph(weights, shape, self.spec.pooling), whole)
        self._write_parts(whole, "fp32", shape)
        recorded = _recorded(self.sha256) or self._computed(weights)
        (self.folder / _REFERENCE).write_text(json.dumps(recorded), encoding="utf-8")
        if "int8" in self.wanted:
            quantise(whole, quantised)
            self._write_parts(quantised, "int8", shape)
            _keep_small(quantised, whole_path(self.folder, "int8"))
        _keep_small(whole, whole_path(self.folder, "fp32"))

    def _write_parts(self, whole: Path, precision: Precision, shape: EncoderShape) -> None:
        paths = part_paths(self.folder, precision, parts_of(shape))
        for path, part in zip(paths, cut_graph(onnx.load(whole), cuts_of(shape)), strict=True):
            write_graph(part, path)

    def _computed(self, weights: Weights) -> dict[str, Any]:
        """The reference vectors of a model that none are published with, of the same texts."""
        texts = _resource(_REFERENCE)["texts"]
        rows = WordPieces(self.folder).rows(texts, at_most=self.spec.max_tokens)
        vectors = reference_vectors(weights, read_shape(self.source), self.spec.pooling, rows)
        return {"texts": texts, "input_ids": rows, "vectors": vectors.tolist()}


def quantise(whole: Path, quantised: Path) -> None:
    """Write the graph at `whole` with int8 weights and products to `quantised`."""
    with _quietly():
        quantize_dynamic(
            whole,
            quantised,
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gather"],  # attention stays exact
        )


def _keep_small(graph: Path, path: Path) -> None:
    if graph.stat().st_size <= _LARGEST_WHOLE_BYTES:
        graph.replace(path)


def _resource(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(importlib.resources.files(__package__).joinpath(name).read_text("utf-8"))
    return found


def _recorded(sha256: str) -> dict[str, Any] | None:
    """The vectors that were recorded of these weights with sentence-transformers' own computation, if any were."""
    recorded = _resource(_REFERENCE)
    return recorded if recorded["weights_sha256"] == sha256 else None


def _cosine(graph: Graph, precision: Precision, recorded: Mapping[str, Any]) -> float:
    wanted: NDArray[np.float32] = np.asarray(recorded["vectors"], dtype=np.float32)
    ways = (graph.vectors(recorded["input_ids"], breathe) for breathe in (lambda: False, lambda: True))
    worst = float(np.min([np.sum(found * wanted, axis=1) for found in ways]))
    if not worst >= MIN_COSINE[precision]:  # NaN included
        raise _wrong(precision, f"cosine {worst:.4f} to the recorded ones, at least {MIN_COSINE[precision]} expected")
    return worst


def _reciprocal_rank(graph: Graph, pieces: WordPieces, spec: EncoderSpec) -> float:
    """Mean over the questions of 1 over the rank of the passage that answers."""
    found = _resource(_RANKING)

    def vectors(role: Role, texts: Sequence[str]) -> NDArray[np.float32]:
        rows = pieces.rows([spec.prefix(role) + text for text in texts], at_most=spec.max_tokens)
        return graph.vectors(rows)

    scores = vectors("query", found["questions"]) @ vectors("passage", found["passages"]).T
    ranks = 1 + np.sum(scores > np.diag(scores)[:, None], axis=1)
    return float(np.mean(1 / ranks))


def _wrong(precision: Precision, how: str) -> ConfigurationError:
    cure = "set the runtime to onnx-fp32" if precision == "int8" else "set the runtime to sentence-transformers"
    return ConfigurationError(
        f"the {precision} embedding model gives wrong vectors on this processor ({how}); {cure}",
        param="pipeline.embedder.runtime",
    )


@contextmanager
def _quietly() -> Iterator[None]:
    """Drop the quantiser's advice to preprocess the graph, which gains nothing on this one."""

    def other(record: logging.LogRecord) -> bool:
        return "pre-processing" not in record.getMessage()

    logging.getLogger().addFilter(other)
    try:
        yield
    finally:
        logging.getLogger().removeFilter(other)
