"""What of a conversation matters for its next question: pure functions, without a model."""

from ragstead.memory.followups import Kind, kind_of_question, standalone, standalone_of
from ragstead.memory.rewrites import accepted
from ragstead.memory.window import estimated_tokens, latest_that_fit

__all__ = [
    "Kind",
    "accepted",
    "estimated_tokens",
    "kind_of_question",
    "latest_that_fit",
    "standalone",
    "standalone_of",
]
