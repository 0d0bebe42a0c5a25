"""Word pieces by the tokenizers library, as the model's own tokenizer.json says."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from ragstead.errors import ConfigurationError


class WordPieces:
    """Encodes texts for a model and counts what it would see; safe to call from several threads.

    Args:
        path: The checkpoint's tokenizer.json; its own padding and truncation are overridden.
        max_tokens: Word pieces that the model reads, the special ones at both ends included.

    Raises:
        ConfigurationError: If the file is not there or no tokenizer.
    """

    def __init__(self, path: Path, *, max_tokens: int = 256) -> None:
        self._encoder = _load(path)
        self._encoder.enable_truncation(max_length=max_tokens)
        self._counter = _load(path)
        self._counter.no_truncation()

    def encode(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the token ids of each text, the special ones included, cut at the model's length."""
        return [encoding.ids for encoding in self._encoder.encode_batch_fast(list(texts))]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of word pieces of each text, uncut and without the special ones."""
        return [len(e.ids) for e in self._counter.encode_batch_fast(list(texts), add_special_tokens=False)]


def _load(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_str(path.read_text("utf-8"))
    except (OSError, ValueError) as exc:
        raise ConfigurationError(f"{path} is no tokenizer: {exc}") from exc
    tokenizer.no_padding()
    return tokenizer
