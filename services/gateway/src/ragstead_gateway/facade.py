"""What the gateway asks of the platform behind it: `ragstead.bootstrap.platform.Platform`, by its shape."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Protocol

from ragstead.model import Answer, Collection, StoredFile
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.costs import CostBook
from ragstead.pipelines.ingest import Submission
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.pipelines.sample_scoring import SampleScoring
from ragstead.ports.answer_traces import AnswerTraces
from ragstead.ports.blob_store import BlobStore
from ragstead.ports.collections import Collections
from ragstead.ports.conversations import Conversations, ConversationTurns
from ragstead.ports.documents import Documents, Files
from ragstead.ports.ledger import Submitted
from ragstead.ports.model_relay import Relayed
from ragstead.ports.reranker import Reranker
from ragstead.ports.tracer import TraceContext, Tracer
from ragstead.settings import Settings
from ragstead_serving.embeddings import ServedEmbedding


class ServedModel(Protocol):
    """A pipeline that the `model` of a request may name."""

    @property
    def name(self) -> str:
        """What a request names."""
        ...

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """What it can do, by OpenAI's parameter names."""
        ...


class BareModel(Protocol):
    """A model that the `model` of a request may name."""

    @property
    def name(self) -> str:
        """What a request names."""
        ...

    @property
    def capabilities(self) -> Mapping[str, bool]:
        """What it can do, by OpenAI's parameter names."""
        ...

    async def ask(self, body: Mapping[str, object], trace: TraceContext) -> Relayed | Answer:
        """Return what its server answers, or the refusal of a request that it does not hear of."""
        ...


class Retriever(Protocol):
    """Finds chunks."""

    async def search(self, request: SearchRequest) -> SearchResult:
        """Return the best hits."""
        ...


class Answerer(Protocol):
    """Answers questions."""

    async def answer(self, request: AskRequest) -> Answer:
        """Return the answer, or the refusal."""
        ...

    def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        """Yield checked pieces of text, then the answer whose content is their concatenation."""
        ...


class Ingestor(Protocol):
    """Takes documents in and out."""

    async def submit(
        self, collection: str, submissions: Sequence[Submission], *, create: bool = True
    ) -> list[Submitted]:
        """Store documents and queue them; `create` makes a collection that is missing."""
        ...

    async def delete(self, collection: str, document_id: str) -> None:
        """Take a document out of sight."""
        ...

    async def delete_collection(self, collection: str) -> None:
        """Take a whole collection out of sight."""
        ...

    async def delete_file(self, file_id: str) -> None:
        """Forget an upload and the documents made of it."""
        ...


class Platform(Protocol):
    """Everything behind the routes."""

    @property
    def settings(self) -> Settings:
        """What it was made from; the gateway reads the limits in `deployment`."""
        ...

    @property
    def collections(self) -> Collections:
        """The collections there are."""
        ...

    @property
    def documents(self) -> Documents:
        """Their documents."""
        ...

    @property
    def files(self) -> Files:
        """Uploads."""
        ...

    @property
    def blobs(self) -> BlobStore:
        """The original bytes."""
        ...

    @property
    def retriever(self) -> Retriever:
        """Finds."""
        ...

    @property
    def answerer(self) -> Answerer:
        """Answers."""
        ...

    @property
    def conversations(self) -> Conversations:
        """Conversations that are kept."""
        ...

    @property
    def conversation_turns(self) -> ConversationTurns:
        """The same, as they grow."""
        ...

    @property
    def ingestor(self) -> Ingestor:
        """Takes in and out."""
        ...

    @property
    def models(self) -> Sequence[ServedModel]:
        """What answers."""
        ...

    @property
    def bare_models(self) -> Mapping[str, BareModel]:
        """Models that a request may name, and is passed on to."""
        ...

    @property
    def costs(self) -> CostBook:
        """What models cost."""
        ...

    @property
    def embedding(self) -> ServedEmbedding:
        """What embeds."""
        ...

    @property
    def reranker(self) -> Reranker | None:
        """What scores documents, if anything does."""
        ...

    @property
    def tracer(self) -> Tracer:
        """What takes judgements of answers."""
        ...

    @property
    def answer_traces(self) -> AnswerTraces | None:
        """Answers as their traces tell, where traces are kept."""
        ...

    @property
    def live_scoring(self) -> SampleScoring | None:
        """What scores a sample of the answers, if anything does."""
        ...

    async def create_collection(self, name: str, metadata: Mapping[str, str]) -> Collection:
        """Add an empty collection; `Conflict` if the name is taken."""
        ...

    async def upload(self, filename: str, purpose: str, data: bytes) -> StoredFile:
        """Keep the bytes and record the upload, such that no sweep comes in between."""
        ...

    async def readiness(self) -> Mapping[str, tuple[bool, str]]:
        """Return for each dependency whether it is ready, and a word on it."""
        ...
