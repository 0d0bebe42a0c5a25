"""Any sentence-transformers model as an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragstead.adapters.sentence_transformers.loading import open_model
from ragstead.errors import Unavailable
from ragstead.model import Role
from ragstead.token_rows import TokenRows


class SentenceTransformersEncoder:
    """Is a sentence-transformers model as an `Encoder`, in float32; a `TokenCounter` too."""

    def __init__(
        self, folder: Path, *, name: str, prefixes: Mapping[Role, str] | None = None, device: str = "cpu"
    ) -> None:
        """Load the model in `folder`; nothing is fetched.

        Args:
            folder: A sentence-transformers model on this disk.
            name: Name and revision, for the identity: `all-MiniLM-L6-v2@53aa5117`.
            prefixes: What the model wants before a text in each role, such as `query: `.
            device: torch's name of where it runs.

        Raises:
            ConfigurationError: If torch is not installed.
            Unavailable: If the folder holds no model.
        """
        self._name = name
        self._prefixes = dict(prefixes or {})
        self._model = open_model("SentenceTransformer", folder, device=device, part="embedder")
        self._model.eval()
        self._device = device
        tokenizer = deepcopy(self._model.tokenizer.backend_tokenizer)  # the model sets the other's truncation
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._rows = TokenRows(tokenizer)
        self._padding = int(self._model.tokenizer.pad_token_id or 0)

    @property
    def identity(self) -> str:
        """Name, revision and precision."""
        return f"{self._name}/fp32-torch"

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return int(self._model.get_sentence_embedding_dimension())

    @property
    def max_tokens(self) -> int:
        """Tokens of a row that the model reads, as its own configuration says."""
        return int(self._model.max_seq_length)

    def tokenize(self, texts: Sequence[str], role: Role, *, at_most: int | None = None) -> list[list[int]]:
        """Return the row of each text, the prefix of its role before it."""
        prefix = self._prefixes.get(role, "")
        return self._rows.rows([prefix + text for text in texts], at_most=at_most)

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own ids."""
        return self._rows.framed(ids)

    def encode(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(rows), dim]`, in one padded pass."""
        import torch  # noqa: PLC0415 - loaded with the model

        if not rows:
            return np.empty((0, self.dim), dtype=np.float32)
        ids = torch.full((len(rows), max(map(len, rows))), self._padding, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(list(row), dtype=torch.long)
            mask[i, : len(row)] = 1
        try:
            with torch.inference_mode():
                features = {"input_ids": ids.to(self._device), "attention_mask": mask.to(self._device)}
                vectors = self._model(features)["sentence_embedding"]
                unit = torch.nn.functional.normalize(vectors.float(), dim=1)
        except RuntimeError as error:
            raise Unavailable("embedding", f"the model failed on {ids.numel()} tokens: {error}") from error
        return np.asarray(unit.cpu().numpy(), dtype=np.float32)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, the special ones left out."""
        return self._rows.counts(texts)
