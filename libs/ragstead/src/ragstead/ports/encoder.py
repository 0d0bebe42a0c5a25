"""A loaded embedding model: what runs behind an `Embedder`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ragstead.model import Role
from ragstead.ports.embedder import TokenCounter

Breathe = Callable[[], bool]
"""Is called between the steps of long work, and may block; says whether steps should be short."""


@dataclass(frozen=True, slots=True)
class EncoderSpec:
    """How a checkpoint is read; what its makers trained it with.

    Attributes:
        name: The model's name, such as `bge-large-en-v1.5`.
        dim: Width of a vector.
        max_tokens: Tokens of a row that it reads, special ones among them.
        pooling: What stands for a row: the mean of its token vectors, or the first one.
        query_prefix: What goes before a question.
        passage_prefix: What goes before a passage.
    """

    name: str
    dim: int
    max_tokens: int = 256
    pooling: Literal["mean", "cls"] = "mean"
    query_prefix: str = ""
    passage_prefix: str = ""

    def prefix(self, role: Role) -> str:
        """Return what goes before a text in this role."""
        return self.query_prefix if role == "query" else self.passage_prefix

    def identity(self, revision: str, precision: str) -> str:
        """Return the name of the vectors that this reading of a revision gives, such as `e5@4f2a09c1/int8+8be1d2`.

        What differs from the defaults of this class counts, in a hash at the end: another prefix, another model.
        """
        chosen = {one.name: getattr(self, one.name) for one in fields(self) if one.name not in {"name", "dim"}}
        plain = EncoderSpec(self.name, self.dim)
        differing = sorted((name, value) for name, value in chosen.items() if value != getattr(plain, name))
        mark = f"+{hashlib.sha256(repr(differing).encode()).hexdigest()[:6]}" if differing else ""
        return f"{self.name}@{revision}/{precision}{mark}"


class Encoder(TokenCounter, Protocol):
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
    def device(self) -> str:
        """Where it runs, by its runtime's name: `cpu`, `cuda:0`."""
        ...

    def device_memory(self) -> int | None:
        """Return the bytes of a GPU's memory that this process holds; None where it holds none."""
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

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(rows), dim]`; rows have 1 to `max_tokens` ids.

        Args:
            rows: What is encoded.
            breathe: Called before each row, or batch of them, and where it said True as often as the runtime can, never
                while something is held that others need. May block, and what it raises ends the work. None for nothing.

        Raises:
            Unavailable: If the model fails, for want of memory say.
        """
        ...
