"""WordPiece as the model was trained with, by the tokenizers library."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from ragstead.errors import Unavailable
from ragstead.token_rows import TokenRows

MAX_TOKENS = 256
"""Word pieces of a text that the model reads, `[CLS]` and `[SEP]` among them; what follows is cut."""


class WordPieces(TokenRows):
    """Is the model's tokenizer; its rows have `[CLS]` before and `[SEP]` behind."""

    def __init__(self, tokenizer: Path) -> None:
        """Read `tokenizer.json`; its own padding and truncation are overridden.

        Raises:
            Unavailable: If the file is missing or damaged.
        """
        super().__init__(_read(tokenizer))


def _read(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise Unavailable("embedding", f"can't read the tokenizer {path}: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
