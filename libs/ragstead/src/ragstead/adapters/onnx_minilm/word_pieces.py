"""WordPiece as the model was trained with, by the tokenizers library."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from ragstead.errors import InvalidRequest, Unavailable

MAX_TOKENS = 256
"""Word pieces of a text that the model reads, `[CLS]` and `[SEP]` among them; what follows is cut."""

_MAX_CHARS_A_TOKEN = 80
"""What is tokenised of a text before the cut: its word pieces end long before, unless white space fills it."""


class WordPieces:
    """Counts and numbers word pieces; safe to call from several threads. A `TokenCounter`."""

    def __init__(self, tokenizer: Path) -> None:
        """Read `tokenizer.json`; its own padding and truncation are overridden.

        Raises:
            Unavailable: If the file is missing or damaged.
        """
        self._tokenizer = _read(tokenizer)
        self._first, self._last = self._tokenizer.encode("").ids

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of word pieces of each text, the special ones left out; 0 for an empty text."""
        encodings = self._tokenizer.encode_batch_fast(_clean(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def rows(self, texts: Sequence[str], *, at_most: int | None = None) -> list[list[int]]:
        """Return the ids of each text with `[CLS]` before and `[SEP]` behind; of `at_most` of them, `[SEP]` stays."""
        if at_most is not None:
            texts = [text[: at_most * _MAX_CHARS_A_TOKEN] for text in texts]
        rows = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(_clean(texts))]
        return rows if at_most is None else [_cut(row, at_most) for row in rows]

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the ids with `[CLS]` before and `[SEP]` behind where they are not there yet.

        Raises:
            InvalidRequest: If there are none, or one is not in the vocabulary.
        """
        size = self._tokenizer.get_vocab_size()
        if not ids:
            raise InvalidRequest("it has no token ids")
        strange = next((token for token in ids if not 0 <= token < size), None)
        if strange is not None:
            raise InvalidRequest(f"token id {strange} is not in the vocabulary of 0 to {size - 1}")
        head = [] if ids[0] == self._first else [self._first]
        return [*head, *ids] if ids[-1] == self._last else [*head, *ids, self._last]


def _cut(ids: list[int], at_most: int) -> list[int]:
    return ids if len(ids) <= at_most else [*ids[: at_most - 1], ids[-1]]


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
