"""The encoder of all-MiniLM-L6-v2 as an ONNX graph, written straight from its weights, without torch.

BERT (Devlin et al. 2018, arXiv:1810.04805) with six post-norm layers, then the mean of the token vectors
over the attention mask and division by the L2 norm, as sentence-transformers does for this model. Only
standard operators of opset 20 are used: ONNX Runtime's own (Attention, MultiHeadAttention,
SkipLayerNormalization) were measured and gain nothing here, and standard ones run on every provider.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import ArrayLike, DTypeLike, NDArray
from onnx import TensorProto, helper, numpy_helper

from ragstead.errors import Unavailable

Weights = Mapping[str, NDArray[np.float32]]

OPSET = 20
IR_VERSION = 9
MASKED = -10_000.0
"""Added to the attention logits of padding: exp() of it is 0 in float32, and it survives float16."""


@dataclass(frozen=True, slots=True)
class BertShape:
    """Sizes of a BERT encoder; the defaults are all-MiniLM-L6-v2's."""

    layers: int = 6
    heads: int = 12
    width: int = 384
    layer_norm_eps: float = 1e-12

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


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
        if name not in self.weights:
            raise Unavailable("embedding", f"the weights have no tensor {name!r}: is this a BERT checkpoint?")
        value = self.weights[name]
        return self.constant(name, value.T if transpose else value)

    def node(self, op: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add one operator with one output."""
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=output, **attributes))
        return output

    def linear(self, x: str, weight: str, output: str) -> str:
        """``x @ W.T + b`` as MatMul and Add, which ONNX Runtime fuses once quantised."""
        product = self.node("MatMul", [x, self.weight(f"{weight}.weight", transpose=True)], f"{output}/matmul")
        return self.node("Add", [product, self.weight(f"{weight}.bias")], output)

    def layer_norm(self, x: str, weight: str, output: str, eps: float) -> str:
        """Layer normalisation over the last axis."""
        inputs = [x, self.weight(f"{weight}.weight"), self.weight(f"{weight}.bias")]
        return self.node("LayerNormalization", inputs, output, axis=-1, epsilon=eps)


def _embeddings(g: GraphWriter, shape: BertShape) -> str:
    """Word + position + token-type-0 vectors, normalised: [n, t, width]; type 0 is part of the positions."""
    token_type = g.weights["embeddings.token_type_embeddings.weight"][0]
    positions = g.weights["embeddings.position_embeddings.weight"] + token_type
    words = g.node("Gather", [g.weight("embeddings.word_embeddings.weight"), "input_ids"], "embeddings/words")
    length = g.node("Shape", ["input_ids"], "embeddings/length", start=1, end=2)
    table = g.constant("embeddings.positions", positions)
    used = g.node("Slice", [table, g.ints(0), length, g.ints(0)], "embeddings/positions")
    total = g.node("Add", [words, used], "embeddings/sum")
    return g.layer_norm(total, "embeddings.LayerNorm", "embeddings/out", shape.layer_norm_eps)


def _mask(g: GraphWriter) -> tuple[str, str]:
    """The attention mask as float32 [n, t], and as logits to add, [n, 1, 1, t]."""
    mask = g.node("Cast", ["attention_mask"], "mask/float", to=TensorProto.FLOAT)
    padding = g.node("Sub", [g.constant("one", 1.0), mask], "mask/padding")
    logits = g.node("Mul", [padding, g.constant("masked", MASKED)], "mask/logits")
    return mask, g.node("Unsqueeze", [logits, g.ints(1, 2)], "mask/bias")


def _attention(g: GraphWriter, x: str, mask_bias: str, prefix: str, shape: BertShape) -> str:
    """``softmax(q k' / sqrt(d) + mask) v`` over all heads, heads joined again: [n, t, width]."""
    own = f"{prefix}attention.self."

    def heads(part: str, order: list[int]) -> str:
        flat = g.linear(x, own + part, own + part)
        split = g.node("Reshape", [flat, g.ints(0, 0, shape.heads, shape.head_width)], f"{own}{part}/heads")
        return g.node("Transpose", [split], f"{own}{part}/by_head", perm=order)

    query, key, value = heads("query", [0, 2, 1, 3]), heads("key", [0, 2, 3, 1]), heads("value", [0, 2, 1, 3])
    raw = g.node("MatMul", [query, key], f"{own}raw")
    scaled = g.node("Mul", [raw, g.constant("scale", shape.head_width**-0.5)], f"{own}scaled")
    weights = g.node("Softmax", [g.node("Add", [scaled, mask_bias], f"{own}logits")], f"{own}weights", axis=-1)
    mixed = g.node(
        "Transpose", [g.node("MatMul", [weights, value], f"{own}mixed")], f"{own}by_token", perm=[0, 2, 1, 3]
    )
    return g.node("Reshape", [mixed, g.ints(0, 0, shape.width)], f"{own}joined")


def _layer(g: GraphWriter, x: str, mask_bias: str, index: int, shape: BertShape) -> str:
    """One post-norm layer: attention and a GELU feed-forward, each with its residual: [n, t, width]."""
    prefix = f"encoder.layer.{index}."
    attended = g.linear(
        _attention(g, x, mask_bias, prefix, shape), f"{prefix}attention.output.dense", f"{prefix}attended"
    )
    residual = g.node("Add", [attended, x], f"{prefix}residual_1")
    middle = g.layer_norm(residual, f"{prefix}attention.output.LayerNorm", f"{prefix}middle", shape.layer_norm_eps)
    wide = g.linear(middle, f"{prefix}intermediate.dense", f"{prefix}wide")
    narrow = g.linear(g.node("Gelu", [wide], f"{prefix}gelu"), f"{prefix}output.dense", f"{prefix}narrow")
    residual = g.node("Add", [narrow, middle], f"{prefix}residual_2")
    return g.layer_norm(residual, f"{prefix}output.LayerNorm", f"{prefix}out", shape.layer_norm_eps)


def _pool(g: GraphWriter, x: str, mask: str) -> str:
    """Mean over the unmasked tokens, then unit length: [n, width]."""
    column = g.node("Unsqueeze", [mask, g.ints(2)], "pool/mask")
    total = g.node("ReduceSum", [g.node("Mul", [x, column], "pool/kept"), g.ints(1)], "pool/sum", keepdims=0)
    count = g.node("ReduceSum", [mask, g.ints(1)], "pool/count", keepdims=1)
    mean = g.node("Div", [total, g.node("Max", [count, "one"], "pool/divisor")], "pool/mean")
    return g.node("LpNormalization", [mean], "embedding", axis=-1, p=2)


def build_graph(weights: Weights, shape: BertShape | None = None) -> onnx.ModelProto:
    """Write the encoder as an ONNX model.

    Args:
        weights: Tensors by their Hugging Face names (``embeddings.…``, ``encoder.layer.0.…``), float32.
        shape: Sizes of the encoder.

    Returns:
        A model with inputs `input_ids` and `attention_mask`, int64 [n, t], t <= 512, and the output
        `embedding`, float32 [n, width], rows of unit length. A row whose mask is all 0 gives zeros or NaN:
        don't send one.

    Raises:
        Unavailable: If a tensor is missing.
    """
    shape = shape or BertShape()
    g = GraphWriter(weights)
    mask, mask_bias = _mask(g)
    x = _embeddings(g, shape)
    for index in range(shape.layers):
        x = _layer(g, x, mask_bias, index, shape)
    _pool(g, x, mask)
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "t"]) for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", shape.width])]
    graph = helper.make_graph(g.nodes, "minilm", inputs, outputs, list(g.constants.values()))
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
