"""Texts to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ragstead.model import Role


class Embedder(Protocol):
    """Turns texts into unit vectors; one instance stands for one model at one precision.

    An index remembers `identity` and refuses vectors of any other: vectors of two models never meet.
    """

    @property
    def identity(self) -> str:
        """Name, revision and precision of the model, such as `all-MiniLM-L6-v2@53aa5117/int8`."""
        ...

    @property
    def dim(self) -> int:
        """Width of a vector."""
        ...

    async def embed(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(texts), dim]`, in the order of `texts`.

        A text over the model's length is cut at its end. An empty text has a vector too. `role` selects the prefix
        of models that need one. No texts give shape `[0, dim]`.

        Raises:
            Unavailable: If the model's server can't be reached.
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens as the embedder's model does, and is cheap: chunking calls it for every sentence."""

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of word pieces of each text, without the special ones at its ends; 0 for an empty text."""
        ...
