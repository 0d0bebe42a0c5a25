"""The configured reranker."""

from __future__ import annotations

from pathlib import Path

from ragstead.ports.reranker import Reranker
from ragstead.ports.work_pool import WorkPool
from ragstead.settings import Settings


def open_reranker(settings: Settings, pool: WorkPool) -> Reranker | None:
    """Return what reads question and passage together, named after its folder; None where none is configured.

    Raises:
        ConfigurationError: If torch is not installed, or the model has more than one label.
        Unavailable: If the folder holds no model.
    """
    folder = settings.pipeline.retrieval.reranker
    if folder is None:
        return None
    from ragstead.adapters.sentence_transformers import CrossEncoderReranker  # noqa: PLC0415  (brings torch)

    return CrossEncoderReranker(Path(folder), pool, name=Path(folder).resolve().name)
