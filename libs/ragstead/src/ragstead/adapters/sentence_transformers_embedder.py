"""Any sentence-transformers model: the reference of the ONNX graph, and the way to other models.

Needs torch, which is imported when the model is opened and not before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import ConfigurationError, Unavailable
from ragstead.model import Role
from ragstead.ports.work_pool import WorkPool

_SLICE_TEXTS = 8


class SentenceTransformersEmbedder:
    """Embeds texts with a sentence-transformers model on the CPU, in float32; a `TokenCounter` too."""

    def __init__(self, folder: Path, pool: WorkPool, *, name: str, prefixes: Mapping[Role, str] | None = None) -> None:
        """Load the model in `folder`; nothing is fetched.

        Args:
            folder: A sentence-transformers model on this disk.
            pool: Where the work runs.
            name: Name and revision, for the identity: `all-MiniLM-L6-v2@53aa5117`.
            prefixes: What the model wants before a text in each role, such as `query: `.

        Raises:
            ConfigurationError: If torch is not installed.
            Unavailable: If the folder holds no model.
        """
        self._pool = pool
        self._name = name
        self._prefixes = dict(prefixes or {})
        self._model = _open(folder)
        self._counting = deepcopy(self._model.tokenizer.backend_tokenizer)  # the model sets the other's truncation
        self._counting.no_truncation()
        self._counting.no_padding()

    @property
    def identity(self) -> str:
        """Name, revision and precision."""
        return f"{self._name}/fp32-torch"

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._model.get_sentence_embedding_dimension())

    async def embed(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(texts), dim]`; what is over the model's length is left out."""
        prefix = self._prefixes.get(role, "")
        parts = [np.empty((0, self.dim), dtype=np.float32)]
        for start in range(0, len(texts), _SLICE_TEXTS):
            piece = [prefix + text for text in texts[start : start + _SLICE_TEXTS]]
            parts.append(await self._pool.run(partial(self._encode, piece)))
        return np.concatenate(parts)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, the special ones left out."""
        encodings = self._counting.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        vectors = self._model.encode(texts, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32)


def _open(folder: Path) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - brings torch
    except ImportError as error:
        raise ConfigurationError(
            f"the embedder in {folder} needs torch: pip install 'ragstead[torch]'", param="embedder"
        ) from error
    try:
        return SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    except (OSError, ValueError) as error:
        raise Unavailable("embedding", f"can't load a model from {folder}: {error}") from error
