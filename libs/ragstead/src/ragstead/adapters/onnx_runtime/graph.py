"""An encoder as an ONNX graph, written straight from its weights, without torch.

BERT (Devlin et al. 2018, arXiv:1810.04805) or MPNet (Song et al. 2020, arXiv:2004.09297), post-norm, then the mean of
the token vectors, or the first of them, and division by the L2 norm. Rows are not padded, so there is no attention
mask. Only standard operators of opset 23 are used: ONNX Runtime's own (MultiHeadAttention, SkipLayerNormalization) were
measured and are no faster, and its MultiHeadAttention gives other numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.shape_inference import infer_shapes
from onnx.utils import Extractor

from ragstead.adapters.onnx_runtime.checkpoint import EncoderShape, Weights
from ragstead.adapters.onnx_runtime.relative_positions import bias_by_distance
from ragstead.errors import Unavailable

Pooling = Literal["mean", "cls"]

OPSET = 23
"""The first with `Attention`."""
IR_VERSION = 11


@dataclass(frozen=True, slots=True)
class _Names:
    """What the weights of a family's attention are called."""

    query: str
    key: str
    value: str
    out: str
    norm: str


_NAMES = {
    "bert": _Names("self.query", "self.key", "self.value", "output.dense", "output.LayerNorm"),
    "mpnet": _Names("attn.q", "attn.k", "attn.v", "attn.o", "LayerNorm"),
}


@dataclass(slots=True)
class GraphWriter:
    """Collects the nodes and constants of one graph; each method returns the name of the tensor it adds."""

    weights: Weights
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: dict[str, onnx.TensorProto] = field(default_factory=dict)

    def constant(self, name: str, value: ArrayLike, dtype: DTypeLike = np.float32) -> str:
        """Add a constant once; a second call with the same name is a no-op."""
        if name not in self.constants:
            array = np.ascontiguousarray(value, dtype=dtype).reshape(np.shape(value))
            self.constants[name] = numpy_helper.from_array(array, name)
        return name

    def ints(self, *values: int) -> str:
        """Add a one-dimensional int64 constant, as axes and shapes are."""
        return self.constant("ints_" + "_".join(map(str, values)), list(values), np.int64)

    def weight(self, name: str, *, transpose: bool = False) -> str:
        """Add the weight called `name`, float32.

        Raises:
            Unavailable: If the weights have no tensor of that name.
        """
        value = self.tensor(name)
        return self.constant(name, value.T if transpose else value)

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add one operator with one output."""
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def split(self, x: str, outputs: Sequence[str]) -> list[str]:
        """Add the equal parts of `x` along its last axis."""
        parts = len(outputs)
        self.nodes.append(helper.make_node("Split", [x], outputs, name=f"{x}/split", axis=-1, num_outputs=parts))
        return list(outputs)

    def tensor(self, name: str) -> NDArray[np.float32]:
        """Return the weight called `name`.

        Raises:
            Unavailable: If the weights have no tensor of that name.
        """
        if name not in self.weights:
            raise Unavailable("embedding", f"the weights have no tensor {name!r}: are they those of an encoder?")
        return self.weights[name]

    def linear(self, x: str, weight: str, output: str) -> str:
        """``x @ W.T + b`` as MatMul and Add, which ONNX Runtime fuses once quantised."""
        product = self.node("MatMul", [x, self.weight(f"{weight}.weight", transpose=True)], f"{output}/matmul")
        return self.node("Add", [product, self.weight(f"{weight}.bias")], output)

    def layer_norm(self, x: str, weight: str, output: str, eps: float) -> str:
        """Layer normalisation over the last axis."""
        inputs = [x, self.weight(f"{weight}.weight"), self.weight(f"{weight}.bias")]
        return self.node("LayerNormalization", inputs, output, axis=-1, epsilon=eps)


def _embeddings(g: GraphWriter, shape: EncoderShape) -> str:
    """Word + position + token-type-0 vectors, normalised: [n, t, width]; type 0 is part of the positions."""
    positions = g.tensor("embeddings.position_embeddings.weight")
    if shape.family == "bert":
        positions = positions + g.tensor("embeddings.token_type_embeddings.weight")[0]
    else:
        positions = positions[2:]  # they are numbered from the padding's id on, which is 1
    words = g.node("Gather", [g.weight("embeddings.word_embeddings.weight"), "input_ids"], "embeddings/words")
    table = g.constant("embeddings.positions", positions)
    used = g.node("Slice", [table, g.ints(0), _length(g), g.ints(0)], "embeddings/positions")
    total = g.node("Add", [words, used], "embeddings/sum")
    return g.layer_norm(total, "embeddings.LayerNorm", "embeddings/out", shape.layer_norm_eps)


def _length(g: GraphWriter) -> str:
    """The tokens of a row, as a vector of one number."""
    return g.node("Shape", ["input_ids"], "length", start=1, end=2)


def _relative_bias(g: GraphWriter, shape: EncoderShape) -> str | None:
    """What MPNet adds to the attention logits: each head's number for the distance of two tokens, [1, heads, t, t]."""
    if shape.family == "bert":
        return None
    by_distance = bias_by_distance(g.tensor("encoder.relative_attention_bias.weight"), shape.positions)
    table = g.constant("relative/by_distance", by_distance)
    zero, one = g.constant("zero", 0, np.int64), g.constant("step", 1, np.int64)
    length = g.node("Squeeze", ["length"], "relative/length")
    places = g.node("Range", [zero, length, one], "relative/places")
    row = g.node("Unsqueeze", [places, g.ints(0)], "relative/row")
    column = g.node("Unsqueeze", [places, g.ints(1)], "relative/column")
    distance = g.node("Sub", [row, column], "relative/distance")
    place = g.node("Add", [distance, g.constant("relative/middle", shape.positions - 1, np.int64)], "relative/place")
    bias = g.node("Gather", [table, place], "relative/bias", axis=1)
    return g.node("Unsqueeze", [bias, g.ints(0)], "relative/all")


def _attention(g: GraphWriter, x: str, bias: str | None, prefix: str, shape: EncoderShape) -> str:
    """``softmax(q k' / sqrt(d) + bias) v`` over all heads, heads joined again: [n, t, width].

    Query, key and value are one product: int8 weights are scaled by column, so it has the same numbers as three.
    """
    own = f"{prefix}attention."
    names = _NAMES[shape.family]
    parts = [own + name for name in (names.query, names.key, names.value)]
    weight = g.constant(f"{own}qkv.weight", np.concatenate([g.tensor(f"{part}.weight") for part in parts]).T)
    offset = g.constant(f"{own}qkv.bias", np.concatenate([g.tensor(f"{part}.bias") for part in parts]))
    joined = g.node("Add", [g.node("MatMul", [x, weight], f"{own}qkv/matmul"), offset], f"{own}qkv")
    inputs = g.split(joined, parts) + ([bias] if bias else [])
    return g.node("Attention", inputs, f"{own}joined", q_num_heads=shape.heads, kv_num_heads=shape.heads)


def _layer(g: GraphWriter, x: str, bias: str | None, index: int, shape: EncoderShape) -> str:
    """One post-norm layer: attention and a GELU feed-forward, each with its residual: [n, t, width]."""
    prefix = f"encoder.layer.{index}."
    names = _NAMES[shape.family]
    attended = g.linear(_attention(g, x, bias, prefix, shape), f"{prefix}attention.{names.out}", f"{prefix}attended")
    residual = g.node("Add", [attended, x], f"{prefix}residual_1")
    middle = g.layer_norm(residual, f"{prefix}attention.{names.norm}", f"{prefix}middle", shape.layer_norm_eps)
    wide = g.linear(middle, f"{prefix}intermediate.dense", f"{prefix}wide")
    narrow = g.linear(g.node("Gelu", [wide], f"{prefix}gelu"), f"{prefix}output.dense", f"{prefix}narrow")
    residual = g.node("Add", [narrow, middle], f"{prefix}residual_2")
    return g.layer_norm(residual, f"{prefix}output.LayerNorm", f"{prefix}out", shape.layer_norm_eps)


def _pool(g: GraphWriter, x: str, pooling: Pooling) -> str:
    """Mean over the tokens, or the first one, then unit length: [n, width]."""
    if pooling == "cls":
        pooled = g.node("Gather", [x, g.constant("first", 0, np.int64)], "pool/first", axis=1)
    else:
        pooled = g.node("ReduceMean", [x, g.ints(1)], "pool/mean", keepdims=0)
    return g.node("LpNormalization", [pooled], "embedding", axis=-1, p=2)


def cuts_of(shape: EncoderShape) -> list[str]:
    """Return the tensors at which a graph is cut into two parts a layer: its attention, and its feed-forward."""
    return [f"encoder.layer.{index}.{end}" for index in range(shape.layers) for end in ("middle", "out")][:-1]


def parts_of(shape: EncoderShape) -> int:
    """Return how many parts a graph is cut into."""
    return len(cuts_of(shape)) + 1


def cut_graph(whole: onnx.ModelProto, cuts: Sequence[str]) -> Iterator[onnx.ModelProto]:
    """Give the parts of a graph: the first up to the first of `cuts`, each next one from where the last one ended.

    A part's inputs are what it needs of all that parts before it have computed: its layer's input, and for MPNet the
    relative positions, which are computed once.
    """
    extractor = Extractor(infer_shapes(whole))
    shared = ["relative/all"] if any(node.output[0] == "relative/all" for node in whole.graph.node) else []
    given = ["input_ids"]
    for n, end in enumerate([*cuts, "embedding"]):
        yield extractor.extract_model(given, [end] if n or not cuts else [end, *shared])
        given = [end, *shared]


def build_graph(weights: Weights, shape: EncoderShape, pooling: Pooling = "mean") -> onnx.ModelProto:
    """Write the encoder as an ONNX model.

    Args:
        weights: Tensors by their Hugging Face names (``embeddings.…``, ``encoder.layer.0.…``), float32.
        shape: Sizes of the encoder.
        pooling: What stands for a row.

    Returns:
        A model with the input `input_ids`, int64 [n, t], 0 < t <= `shape.positions`, and the output `embedding`,
        float32 [n, width], rows of unit length. There is no padding: rows of one run have one length.

    Raises:
        Unavailable: If a tensor is missing.
    """
    g = GraphWriter(weights)
    x = _embeddings(g, shape)
    bias = _relative_bias(g, shape)
    for index in range(shape.layers):
        x = _layer(g, x, bias, index, shape)
    _pool(g, x, pooling)
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", shape.width])]
    graph = helper.make_graph(g.nodes, "encoder", inputs, outputs, list(g.constants.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def write_graph(model: onnx.ModelProto, path: Path) -> None:
    """Check `model` and write it to `path`.

    Raises:
        Unavailable: If the file can't be written.
    """
    onnx.checker.check_model(model, full_check=True)
    try:
        onnx.save(model, str(path))
    except OSError as error:
        raise Unavailable("embedding", f"can't write {path}: {error}") from error
