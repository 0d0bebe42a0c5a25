"""Texts to vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """What is to be embedded.

    Attributes:
        inputs: Texts, or rows of the model's own token ids.
        role: Selects the prefix of models that need one; token ids get none.
        truncate: Whether an input over the model's length is cut; else it is an error.
    """

    inputs: Sequence[str] | Sequence[Sequence[int]]
    role: Role = "passage"
    truncate: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """What became of it.

    Attributes:
        vectors: Shape `[n, dim]`, unit length, in the order of the inputs.
        tokens: Tokens that the model read or, where the cache knew the vector, had read for it.
    """

    vectors: NDArray[np.float32]
    tokens: int


class RequestEmbedder(Embedder, Protocol):
    """Is an `Embedder` that tells callers what is wrong with their inputs, and what they cost."""

    @property
    def max_tokens(self) -> int:
        """Tokens of a text that the model reads, special ones among them."""
        ...

    async def run(self, request: EmbedRequest) -> Embedded:
        """Return a vector for each input.

        Raises:
            InvalidRequest: If an input is too long and is not to be cut, or has an id that is not in the vocabulary;
                names its index as `input[3]`.
            Overloaded: If too much waits already.
            Unavailable: If the model fails or can't be reached.
        """
        ...


class TokenCounter(Protocol):
    """Counts tokens as the embedder's model does, and is cheap: chunking calls it for every sentence."""

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of word pieces of each text, without the special ones at its ends; 0 for an empty text."""
        ...
