"""A cross-encoder as reranker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ragstead.adapters.sentence_transformers.loading import open_model
from ragstead.errors import ConfigurationError
from ragstead.ports.work_pool import WorkPool

_SLICE_PASSAGES = 8


class CrossEncoderReranker:
    """Scores pairs of question and passage with a cross-encoder of one output on the CPU; a `Reranker`."""

    def __init__(self, folder: Path, pool: WorkPool, *, name: str) -> None:
        """Load the model in `folder`; nothing is fetched.

        Args:
            folder: A sentence-classification model with one label, on this disk.
            pool: Where the work runs, a few passages at a time.
            name: Name and revision, for the release.

        Raises:
            ConfigurationError: If torch is not installed, or the model has more than one label.
            Unavailable: If the folder holds no model.
        """
        self._pool = pool
        self._name = name
        self._model = open_model("CrossEncoder", folder, device="cpu", part="reranker")
        if self._model.num_labels != 1:
            raise ConfigurationError(
                f"the reranker in {folder} has {self._model.num_labels} labels; one is needed",
                param="reranker",
            )

    @property
    def name(self) -> str:
        """Name and revision."""
        return self._name

    async def rerank(self, query: str, passages: Sequence[str]) -> list[float]:
        """Return the sigmoid of the model's logit for each passage, in the order given."""
        scores: list[float] = []
        for start in range(0, len(passages), _SLICE_PASSAGES):
            pairs = [(query, passage) for passage in passages[start : start + _SLICE_PASSAGES]]
            scores += await self._pool.run(partial(self._score, pairs))
        return scores

    def _score(self, pairs: list[tuple[str, str]]) -> list[float]:
        from torch.nn import Identity  # noqa: PLC0415 - loaded with the model

        logits = self._model.predict(pairs, activation_fn=Identity(), show_progress_bar=False)
        probabilities: list[float] = (1 / (1 + np.exp(-np.asarray(logits, dtype=np.float64)))).tolist()
        return probabilities
