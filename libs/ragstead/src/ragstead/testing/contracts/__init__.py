"""The suites that every adapter and every fake of a port must pass.

A test module subclasses a suite and says how the thing under test is opened; pytest, or any runner that calls
methods named `test_*` with an empty folder as `tmp_path`, does the rest. Nothing here needs a test library.
"""

from ragstead.testing.contracts.answer_traces import AnswerTracesContract
from ragstead.testing.contracts.cache import CacheContract
from ragstead.testing.contracts.conversations import ConversationsContract
from ragstead.testing.contracts.embedder import EmbedderContract
from ragstead.testing.contracts.experiments import ExperimentsContract
from ragstead.testing.contracts.guard import GuardContract
from ragstead.testing.contracts.lexical_index import Bm25, DurableLexicalIndexContract, LexicalIndexContract
from ragstead.testing.contracts.registry import RegistryContract, ReleaseStore
from ragstead.testing.contracts.step_graph import StepGraphContract
from ragstead.testing.contracts.vector_index import (
    AXES,
    DIM,
    DurableVectorIndexContract,
    VectorIndexContract,
    Vectors,
)

__all__ = [
    "AXES",
    "DIM",
    "AnswerTracesContract",
    "Bm25",
    "CacheContract",
    "ConversationsContract",
    "DurableLexicalIndexContract",
    "DurableVectorIndexContract",
    "EmbedderContract",
    "ExperimentsContract",
    "GuardContract",
    "LexicalIndexContract",
    "RegistryContract",
    "ReleaseStore",
    "StepGraphContract",
    "VectorIndexContract",
    "Vectors",
]
