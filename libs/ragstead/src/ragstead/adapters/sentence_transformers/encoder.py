"""Any sentence-transformers model as an encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragstead.adapters.sentence_transformers.loading import open_model
from ragstead.errors import InvalidRequest, Unavailable
from ragstead.model import Role

_MAX_CHARS_A_TOKEN = 80
"""What is tokenised of a text before it is cut: its tokens end long before, unless white space fills it."""


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
        self._tokenizer = deepcopy(self._model.tokenizer.backend_tokenizer)  # the model sets the other's truncation
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._first, self._last = (ids := self._tokenizer.encode("").ids)[0], ids[-1]
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
        length = None if at_most is None else at_most * _MAX_CHARS_A_TOKEN
        whole = [(prefix + text[:length]).encode("utf-8", "replace").decode("utf-8") for text in texts]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(whole)]
        return [row if at_most is None or len(row) <= at_most else [*row[: at_most - 1], row[-1]] for row in rows]

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own ids."""
        size = self._tokenizer.get_vocab_size()
        if not ids:
            raise InvalidRequest("it has no token ids")
        strange = next((token for token in ids if not 0 <= token < size), None)
        if strange is not None:
            raise InvalidRequest(f"token id {strange} is not in the vocabulary of 0 to {size - 1}")
        head = [] if ids[0] == self._first else [self._first]
        return [*head, *ids] if ids[-1] == self._last else [*head, *ids, self._last]

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
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]
