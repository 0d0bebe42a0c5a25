"""A checkpoint in a folder, as the model hub lays it out: `config.json`, `model.safetensors`, `tokenizer.json`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ragstead.errors import ConfigurationError, Unavailable

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class EncoderShape:
    """Sizes of an encoder; the defaults are all-MiniLM-L6-v2's.

    Attributes:
        family: BERT adds absolute positions alone; MPNet adds to the attention what depends on the distance, too.
        layers: Transformer layers.
        heads: Attention heads of each.
        width: Of a token's vector.
        layer_norm_eps: What keeps the normalisation from dividing by 0.
        positions: Tokens of the longest row.
    """

    family: Literal["bert", "mpnet"] = "bert"
    layers: int = 6
    heads: int = 12
    width: int = 384
    layer_norm_eps: float = 1e-12
    positions: int = 512

    @property
    def head_width(self) -> int:
        """Width of one attention head."""
        return self.width // self.heads


def read_shape(folder: Path) -> EncoderShape:
    """Return the sizes that `config.json` gives.

    Raises:
        Unavailable: If it is missing or damaged.
        ConfigurationError: If the model is of a kind that has no graph here.
    """
    path = folder / "config.json"
    try:
        config: dict[str, Any] = json.loads(path.read_text("utf-8"))
        kind = config["model_type"]
        sizes = [int(config[name]) for name in ("num_hidden_layers", "num_attention_heads", "hidden_size")]
        positions = int(config["max_position_embeddings"])
        eps = float(config["layer_norm_eps"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable("embedding", f"can't read the model's configuration {path}: {error!r}") from error
    odd = {
        "model_type": kind not in {"bert", "mpnet"},
        "hidden_act": config.get("hidden_act", "gelu") != "gelu",
        "position_embedding_type": config.get("position_embedding_type", "absolute") != "absolute",
        "relative_attention_num_buckets": config.get("relative_attention_num_buckets", 32) != 32,
    }
    strange = [f"{name}: {config.get(name)}" for name, is_odd in odd.items() if is_odd]
    if strange:
        raise ConfigurationError(
            f"{path} says {', '.join(strange)}, for which there is no graph; set the runtime to sentence-transformers",
            param="pipeline.embedder.runtime",
        )
    layers, heads, width = sizes
    return EncoderShape(kind, layers, heads, width, eps, positions - 2 if kind == "mpnet" else positions)


def sha256_of(weights: Path, *, expected: str | None = None) -> str:
    """Return the hash of a file of weights.

    Raises:
        Unavailable: If it can't be read, or is not the expected one; None expects any.
    """
    try:
        with weights.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise Unavailable("embedding", f"can't read the weights {weights}: {error}") from error
    if expected not in (None, found):
        raise Unavailable("embedding", f"{weights} has sha256 {found}, not {expected}; install it again")
    return found


def read_weights(weights: Path) -> Weights:
    """Return the encoder's tensors by their names without the model's, as float32.

    Raises:
        Unavailable: If the file is missing or damaged.
    """
    try:
        with safe_open(weights, framework="np") as file:
            return {
                name.removeprefix("bert.").removeprefix("mpnet."): file.get_tensor(name).astype(np.float32)
                for name in file.keys()  # noqa: SIM118  (no mapping)
                if "position_ids" not in name
            }
    except (OSError, SafetensorError) as error:
        raise Unavailable("embedding", f"can't read the weights {weights}: {error}") from error
