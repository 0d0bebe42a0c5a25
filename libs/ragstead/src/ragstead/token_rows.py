"""Texts to rows of token ids, special ones at their ends: what every encoder is fed with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ragstead.errors import InvalidRequest
from ragstead.surrogates import without_surrogates

_MAX_CHARS_A_TOKEN = 80
"""What is tokenised of a text before the cut: its tokens end long before, unless white space fills it."""


class TokenRows:
    """Counts and numbers tokens; safe to call from several threads. A `TokenCounter`.

    Args:
        tokenizer: A `tokenizers.Tokenizer` without padding and truncation, whose rows begin and end with a special one.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        empty = tokenizer.encode("").ids
        self._first, self._last = empty[0], empty[-1]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, the special ones left out; 0 for an empty text."""
        encodings = self._tokenizer.encode_batch_fast(
            [without_surrogates(text) for text in texts], add_special_tokens=False
        )
        return [len(encoding.ids) for encoding in encodings]

    def rows(self, texts: Sequence[str], *, at_most: int | None = None) -> list[list[int]]:
        """Return the row of each text; of `at_most` ids, the special one at the end stays."""
        if at_most is not None:
            texts = [text[: at_most * _MAX_CHARS_A_TOKEN] for text in texts]
        rows = [
            encoding.ids for encoding in self._tokenizer.encode_batch_fast([without_surrogates(text) for text in texts])
        ]
        return rows if at_most is None else [cut(row, at_most) for row in rows]

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the ids with the special ones at the ends where they are not there yet.

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


def cut(row: list[int], at_most: int) -> list[int]:
    """Leave out what is over the length, but not the special token at the end."""
    return row if len(row) <= at_most else [*row[: at_most - 1], row[-1]]
