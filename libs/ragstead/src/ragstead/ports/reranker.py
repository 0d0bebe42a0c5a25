"""Question and passages to scores, by a model that reads both at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Reranker(Protocol):
    """Scores passages against a question; off unless configured."""

    @property
    def name(self) -> str:
        """The model's name as the release hashes it."""
        ...

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return a probability of relevance in [0, 1] for each passage, in the order given; none for none.

        Raises:
            Unavailable: If the model's server can't be reached.
        """
        ...
