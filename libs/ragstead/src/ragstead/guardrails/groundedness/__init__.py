"""How probable it is that passages support a sentence, without a judge."""

from ragstead.guardrails.groundedness.detector import (
    Groundedness,
    groundedness,
    read_groundedness,
    shipped_groundedness,
)

__all__ = ["Groundedness", "groundedness", "read_groundedness", "shipped_groundedness"]
