"""What the ingestion worker is composed of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from ragstead.egress import refuse_egress
from ragstead.errors import IndexMismatch
from ragstead.model import Chunk, ExtractedText
from ragstead.ports.blob_store import BlobStore
from ragstead.ports.embedder import Embedder
from ragstead.ports.indexes import Indexes
from ragstead.ports.ledger import IndexTruth, Ledger, Sweeping, Work
from ragstead.ports.loader import Parser
from ragstead.ports.work_pool import WorkPool

Chunker = Callable[[ExtractedText], tuple[str, Sequence[Chunk]]]
"""Returns the title as it is indexed with every chunk, and the chunks."""
Analyser = Callable[[str], Sequence[str]]


@dataclass(frozen=True, slots=True)
class IngestParts:
    """What the worker works with.

    Attributes:
        ledger: The state machine.
        truth: What the indexes ought to hold.
        sweeping: What they may forget.
        blobs: The original bytes.
        parser: Reads files in child processes.
        chunker: Cuts a text into chunks.
        analyser: Turns a text into the terms that BM25 knows.
        embedder: Turns texts into vectors.
        indexes: The physical indexes.
        pool: Where CPU-bound work runs.
        index_identity: What the running embedder and analysis make indexes with.
        leaves: Whether the embedder sends texts to a hosted API.
        marks: Says of each text how probable it is that something is injected; None: nobody looks.
    """

    ledger: Ledger
    truth: IndexTruth
    sweeping: Sweeping
    blobs: BlobStore
    parser: Parser
    chunker: Chunker
    analyser: Analyser
    embedder: Embedder
    indexes: Indexes
    pool: WorkPool
    index_identity: str
    leaves: bool = False
    marks: Callable[[Sequence[str]], Awaitable[Sequence[float]]] | None = None

    def admit(self, work: Work) -> None:
        """Return where a version may be embedded here.

        Raises:
            IndexMismatch: If its index was made with another model than the one that runs.
            Forbidden: If its texts would be sent to a model that they must not reach.
        """
        if work.index_identity != self.index_identity:
            raise IndexMismatch(
                f"collection {work.collection_id} was indexed with {work.index_identity}, and "
                f"{self.index_identity} is running; go back to the former, or make a new collection"
            )
        refuse_egress(work.collection_id, leaves=self.leaves, may_leave=work.may_leave)
