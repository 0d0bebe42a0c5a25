"""What of a conversation matters for its next question: pure functions, without a model."""

from ragstead.memory.followups import Kind, kind_of_question, standalone, standalone_of
from ragstead.memory.rewrites import accepted
from ragstead.memory.window import latest_that_fit

__all__ = [
    "Kind",
    "accepted",
    "kind_of_question",
    "latest_that_fit",
    "standalone",
    "standalone_of",
]
