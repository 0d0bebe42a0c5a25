"""Word pieces as a model was trained with, by the tokenizers library."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from ragstead.errors import Unavailable
from ragstead.token_rows import TokenRows


class WordPieces(TokenRows):
    """Is the model's tokenizer; its rows have special tokens at both ends, `[CLS]` and `[SEP]` say."""

    def __init__(self, folder: Path) -> None:
        """Read `tokenizer.json` in `folder`; its own padding and truncation are overridden.

        Raises:
            Unavailable: If the file is missing or damaged.
        """
        super().__init__(_read(folder / "tokenizer.json"))


def _read(path: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises Exception itself
        raise Unavailable("embedding", f"can't read the tokenizer {path}: {error}") from error
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer
