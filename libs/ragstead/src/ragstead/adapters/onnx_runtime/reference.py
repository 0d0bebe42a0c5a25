"""The encoders once more, in NumPy and double precision: what a graph's vectors are measured against.

Slow, and written apart from the graphs, from the same papers.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ragstead.adapters.onnx_runtime.checkpoint import EncoderShape, Weights
from ragstead.adapters.onnx_runtime.relative_positions import bias_by_distance

Doubles = NDArray[np.float64]

_PARTS = {
    "bert": {
        "q": "attention.self.query",
        "k": "attention.self.key",
        "v": "attention.self.value",
        "o": "attention.output.dense",
        "norm": "attention.output.LayerNorm",
    },
    "mpnet": {
        "q": "attention.attn.q",
        "k": "attention.attn.k",
        "v": "attention.attn.v",
        "o": "attention.attn.o",
        "norm": "attention.LayerNorm",
    },
}


def reference_vectors(
    weights: Weights, shape: EncoderShape, pooling: Literal["mean", "cls"], rows: Sequence[Sequence[int]]
) -> Doubles:
    """Return unit vectors of shape `[len(rows), width]` of rows of token ids, each computed alone."""
    return np.stack([_vector(weights, shape, pooling, np.asarray(row, dtype=np.int64)) for row in rows])


def _vector(weights: Weights, shape: EncoderShape, pooling: str, ids: NDArray[np.int64]) -> Doubles:
    first = 2 if shape.family == "mpnet" else 0
    x = _weight(weights, "embeddings.word_embeddings.weight")[ids]
    x = x + _weight(weights, "embeddings.position_embeddings.weight")[first : first + len(ids)]
    bias = np.zeros((shape.heads, len(ids), len(ids)))
    if shape.family == "bert":
        x = x + _weight(weights, "embeddings.token_type_embeddings.weight")[0]
    else:
        by_distance = bias_by_distance(weights["encoder.relative_attention_bias.weight"], len(ids))
        place = np.arange(len(ids))
        bias = by_distance[:, place[None, :] - place[:, None] + len(ids) - 1].astype(np.float64)
    x = _norm(weights, "embeddings.LayerNorm", x, shape)
    for index in range(shape.layers):
        x = _layer(weights, f"encoder.layer.{index}.", x, bias, shape)
    pooled: Doubles = x[0] if pooling == "cls" else x.mean(axis=0)
    return pooled / float(np.linalg.norm(pooled))


def _layer(weights: Weights, at: str, x: Doubles, bias: Doubles, shape: EncoderShape) -> Doubles:
    part = {short: at + name for short, name in _PARTS[shape.family].items()}

    def heads(name: str) -> Doubles:
        flat = _linear(weights, part[name], x)
        return flat.reshape(len(x), shape.heads, shape.head_width).transpose(1, 0, 2)

    logits = heads("q") @ heads("k").transpose(0, 2, 1) / np.sqrt(shape.head_width) + bias
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    mixed = (powers / powers.sum(axis=-1, keepdims=True)) @ heads("v")
    attended = _linear(weights, part["o"], mixed.transpose(1, 0, 2).reshape(len(x), shape.width))
    middle = _norm(weights, part["norm"], attended + x, shape)
    wide = _linear(weights, f"{at}intermediate.dense", middle)
    narrow = _linear(weights, f"{at}output.dense", _gelu(wide))
    return _norm(weights, f"{at}output.LayerNorm", narrow + middle, shape)


def _weight(weights: Weights, name: str) -> Doubles:
    return weights[name].astype(np.float64)


def _linear(weights: Weights, name: str, x: Doubles) -> Doubles:
    product: Doubles = x @ _weight(weights, f"{name}.weight").T + _weight(weights, f"{name}.bias")
    return product


def _norm(weights: Weights, name: str, x: Doubles, shape: EncoderShape) -> Doubles:
    centred = x - x.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + shape.layer_norm_eps)
    out: Doubles = centred / spread * _weight(weights, f"{name}.weight") + _weight(weights, f"{name}.bias")
    return out


_erf = np.vectorize(math.erf, otypes=[np.float64])


def _gelu(x: Doubles) -> Doubles:
    """``x (1 + erf(x / √2)) / 2``."""
    out: Doubles = x * (1 + _erf(x / math.sqrt(2))) / 2
    return out
