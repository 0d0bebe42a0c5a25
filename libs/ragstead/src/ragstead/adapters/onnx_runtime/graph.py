"""An encoder as an ONNX graph, written straight from its weights, without torch.

BERT (Devlin et al. 2018, arXiv:1810.04805) or MPNet (Song et al. 2020, arXiv:2004.09297), post-norm, then the mean of
the token vectors over the attention mask, or the first of them, and division by the L2 norm. Only standard operators of
opset 20 are used: ONNX Runtime's own (Attention, MultiHeadAttention, SkipLayerNormalization) were measured and gain
nothing here, and standard ones run on every provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from ragstead.adapters.onnx_runtime.checkpoint import EncoderShape, Weights
from ragstead.adapters.onnx_runtime.relative_positions import bias_by_distance
from ragstead.errors import Unavailable

Pooling = Literal["mean", "cls"]

OPSET = 20
IR_VERSION = 9
MASKED = -10_000.0
"""Added to the attention logits of padding: exp() of it is 0 in float32, and it survives float16."""


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


def _mask(g: GraphWriter) -> tuple[str, str]:
    """The attention mask as float32 [n, t], and as logits to add, [n, 1, 1, t]."""
    mask = g.node("Cast", ["attention_mask"], "mask/float", to=TensorProto.FLOAT)
    padding = g.node("Sub", [g.constant("one", 1.0), mask], "mask/padding")
    logits = g.node("Mul", [padding, g.constant("masked", MASKED)], "mask/logits")
    return mask, g.node("Unsqueeze", [logits, g.ints(1, 2)], "mask/bias")


def _relative_bias(g: GraphWriter, mask_bias: str, shape: EncoderShape) -> str:
    """The mask's logits, and for MPNet each head's number for the distance of two tokens, [n, heads, t, t]."""
    if shape.family == "bert":
        return mask_bias
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
    return g.node("Add", [g.node("Unsqueeze", [bias, g.ints(0)], "relative/all"), mask_bias], "relative/masked")


def _attention(g: GraphWriter, x: str, bias: str, prefix: str, shape: EncoderShape) -> str:
    """``softmax(q k' / sqrt(d) + bias) v`` over all heads, heads joined again: [n, t, width]."""
    own = f"{prefix}attention."
    names = _NAMES[shape.family]

    def heads(part: str, order: list[int]) -> str:
        flat = g.linear(x, own + part, own + part)
        split = g.node("Reshape", [flat, g.ints(0, 0, shape.heads, shape.head_width)], f"{own}{part}/heads")
        return g.node("Transpose", [split], f"{own}{part}/by_head", perm=order)

    query, key = heads(names.query, [0, 2, 1, 3]), heads(names.key, [0, 2, 3, 1])
    value = heads(names.value, [0, 2, 1, 3])
    raw = g.node("MatMul", [query, key], f"{own}raw")
    scaled = g.node("Mul", [raw, g.constant("scale", shape.head_width**-0.5)], f"{own}scaled")
    weights = g.node("Softmax", [g.node("Add", [scaled, bias], f"{own}logits")], f"{own}weights", axis=-1)
    mixed = g.node(
        "Transpose", [g.node("MatMul", [weights, value], f"{own}mixed")], f"{own}by_token", perm=[0, 2, 1, 3]
    )
    return g.node("Reshape", [mixed, g.ints(0, 0, shape.width)], f"{own}joined")


def _layer(g: GraphWriter, x: str, bias: str, index: int, shape: EncoderShape) -> str:
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


def _pool(g: GraphWriter, x: str, mask: str, pooling: Pooling) -> str:
    """Mean over the unmasked tokens, or the first one, then unit length: [n, width]."""
    if pooling == "cls":
        first = g.node("Gather", [x, g.constant("first", 0, np.int64)], "pool/first", axis=1)
        return g.node("LpNormalization", [first], "embedding", axis=-1, p=2)
    column = g.node("Unsqueeze", [mask, g.ints(2)], "pool/mask")
    total = g.node("ReduceSum", [g.node("Mul", [x, column], "pool/kept"), g.ints(1)], "pool/sum", keepdims=0)
    count = g.node("ReduceSum", [mask, g.ints(1)], "pool/count", keepdims=1)
    mean = g.node("Div", [total, g.node("Max", [count, "one"], "pool/divisor")], "pool/mean")
    return g.node("LpNormalization", [mean], "embedding", axis=-1, p=2)


def build_graph(weights: Weights, shape: EncoderShape, pooling: Pooling = "mean") -> onnx.ModelProto:
    """Write the encoder as an ONNX model.

    Args:
        weights: Tensors by their Hugging Face names (``embeddings.…``, ``encoder.layer.0.…``), float32.
        shape: Sizes of the encoder.
        pooling: What stands for a row.

    Returns:
        A model with inputs `input_ids` and `attention_mask`, int64 [n, t], t <= `shape.positions`, and the output
        `embedding`, float32 [n, width], rows of unit length. A row whose mask is all 0 gives zeros or NaN:
        don't send one.

    Raises:
        Unavailable: If a tensor is missing.
    """
    g = GraphWriter(weights)
    mask, mask_bias = _mask(g)
    x = _embeddings(g, shape)
    bias = _relative_bias(g, mask_bias, shape)
    for index in range(shape.layers):
        x = _layer(g, x, bias, index, shape)
    _pool(g, x, mask, pooling)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")
    ]
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
