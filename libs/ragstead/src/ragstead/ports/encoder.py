"""A loaded embedding model: what runs behind an `Embedder`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragstead.model import Role


class Encoder(Protocol):
    """Turns texts into tokens and tokens into vectors, synchronously; safe to call from several threads at once.

    Rows of token ids carry the model's special ones. A row's vector does not depend on the rows beside it by more than
    rounding.
    """

    @property
    def identity(self) -> str:
        """Name, revision and precision of the model, such as `all-MiniLM-L6-v2@53aa5117/int8`."""
        ...

    @property
    def dim(self) -> int:
        """Width of a vector."""
        ...

    @property
    def max_tokens(self) -> int:
        """Tokens of a row that the model reads, special ones among them."""
        ...

    def tokenize(self, texts: Sequence[str], role: Role, *, at_most: int | None = None) -> list[list[int]]:
        """Return the whole row of each text, the prefix of its role before it.

        Args:
            texts: What is tokenised; lone surrogates become `?`.
            role: Selects the prefix of models that need one.
            at_most: Rows may be cut to so many tokens, the last special one kept, which spares reading on.
        """
        ...

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own token ids, special ones added at the ends that lack them.

        Raises:
            InvalidRequest: If an id is not in the model's vocabulary.
        """
        ...

    def encode(self, rows: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(rows), dim]`; rows have 1 to `max_tokens` ids.

        Raises:
            Unavailable: If the model fails, for want of memory say.
        """
        ...
