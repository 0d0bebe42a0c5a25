"""WordPiece as the model was trained with, by the tokenizers library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from ragstead.errors import Unavailable

MAX_TOKENS = 256
"""Word pieces of a text that the model reads, `[CLS]` and `[SEP]` among them; what follows is cut."""

_MAX_CHARS = 20_000
"""What is tokenised before the cut: 256 word pieces end long before it, unless white space fills it."""


class WordPieces:
    """Counts and numbers word pieces; safe to call from several threads. A `TokenCounter`."""

    def __init__(self, tokenizer: Path) -> None:
        """Read `tokenizer.json`; its own padding and truncation are overridden.

        Raises:
            Unavailable: If the file is missing or damaged.
        """
        self._tokenizer = _read(tokenizer)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of word pieces of each text, the special ones left out; 0 for an empty text."""
        encodings = self._tokenizer.encode_batch_fast(_clean(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text with the special ones, 2 to `MAX_TOKENS` of them."""
        encodings = self._tokenizer.encode_batch_fast(_clean([text[:_MAX_CHARS] for text in texts]))
        return [_cut(encoding.ids) for encoding in encodings]


def _cut(ids: list[int]) -> list[int]:
    """Leave out what is over the limit; the last one is `[SEP]` and stays."""
    return ids if len(ids) <= MAX_TOKENS else [*ids[: MAX_TOKENS - 1], ids[-1]]


def _clean(texts: Sequence[str]) -> list[str]:
    """Replace lone surrogates, which the tokenizer's UTF-8 can't hold."""
    return [text.encode("utf-8", "replace").decode("utf-8") for text in texts]


def _read(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise Unavailable("embedding", f"can't read the tokenizer {path}: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
