"""What owners hand in and take away: submissions and deletions, made durable before they are acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from ragstead.egress import refuse_egress
from ragstead.errors import Conflict, InvalidRequest, NotFound
from ragstead.model import PENDING_STATES, Attributes, Collection, State
from ragstead.ports.blob_store import BlobStore
from ragstead.ports.collections import Collections
from ragstead.ports.ledger import Intake, NewVersion, Submitted


@dataclass(frozen=True, slots=True)
class Submission:
    """A document as its owner hands it in.

    Attributes:
        document_id: Unique in its collection; the same id again replaces the document.
        filename: Its name; tells the format where the content does not.
        data: The file's bytes.
        attributes: The owner's own, for filters.
        title: Overrides the file's own title where not empty.
        plain_text: True where the bytes are UTF-8 text that needs no parsing.
        file_id: The upload it is made of; None where the document gets a file of its own.
    """

    document_id: str
    filename: str
    data: bytes
    attributes: Attributes = field(default_factory=dict)
    title: str = ""
    plain_text: bool = False
    file_id: str | None = None

    def __post_init__(self) -> None:
        if not self.document_id.strip() or len(self.document_id) > 512:
            raise InvalidRequest(
                f"document id {self.document_id!r:.80} must have 1 to 512 characters", param="document_id"
            )
        if "\x00" in self.document_id + self.filename:
            raise InvalidRequest("a document id or file name holds a NUL character", param="document_id")


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """How documents are taken in.

    Attributes:
        recipe: What chunks are made by; a document made by another is made again when handed in.
        index_identity: What new collections' indexes are made with.
        leaves: Whether texts are sent to a hosted API to be embedded.
    """

    recipe: str
    index_identity: str
    leaves: bool = False


class IngestPipeline:
    """Takes documents in and out; the work behind it is done by `IngestWorker`.

    Args:
        collections: The collections there are.
        intake: Where submissions and deletions are recorded.
        blobs: Where the bytes are kept.
        blob_guard: Held while blobs are written and named, and by the worker while unnamed ones are removed.
        plan: How they are taken in.
        wake: Called after each change, so that the worker looks for work.
    """

    def __init__(
        self,
        collections: Collections,
        intake: Intake,
        blobs: BlobStore,
        blob_guard: asyncio.Lock,
        plan: IngestPlan,
        wake: Callable[[], None],
    ) -> None:
        self._collections = collections
        self._intake = intake
        self._blobs = blobs
        self._plan = plan
        self._wake = wake
        self._blob_guard = blob_guard

    async def submit(
        self, collection: str, submissions: Sequence[Submission], *, create: bool = True
    ) -> list[Submitted]:
        """Store documents and queue them; they are durable when this returns, and visible once they are indexed.

        Args:
            collection: Name or id.
            submissions: The documents, queued in this order.
            create: Whether a collection that is not there is made; else it is `NotFound`.

        Raises:
            NotFound: If the collection or a named upload is not there.
            Forbidden: If its texts would be sent to a hosted API, and its owner did not say that they may.
            Unavailable: If the bytes can't be stored.
        """
        target = await self._target(collection, create=create)
        refuse_egress(target.name, leaves=self._plan.leaves, may_leave=target.may_leave)
        async with self._blob_guard:
            stored = await self._blobs.put_many([submission.data for submission in submissions])
            versions = [self._version(*pair) for pair in zip(submissions, stored, strict=True)]
            submitted = await self._intake.submit(target.collection_id, versions)
        self._wake()
        return submitted

    async def delete(self, collection: str, document_id: str) -> None:
        """Take a document out of sight; what the stores still hold of it is swept in the background.

        Raises:
            NotFound: If the collection or the document is not there.
        """
        found = await self._collections.find(collection)
        await self._intake.delete_document(found.collection_id, document_id)
        self._wake()

    async def delete_collection(self, collection: str) -> None:
        """Take a whole collection out of sight, and free its name.

        Raises:
            NotFound: If it is not there.
        """
        await self._intake.delete_collection((await self._collections.find(collection)).collection_id)
        self._wake()

    async def delete_file(self, file_id: str) -> None:
        """Forget an upload and the documents made of it.

        Raises:
            NotFound: If it is not there.
        """
        await self._intake.delete_file(file_id)
        self._wake()

    async def settle(self, collection: str) -> Collection:
        """Wait until nothing of the collection is on its way, and return it.

        Raises:
            NotFound: If it is not there.
        """
        pause_s = 0.01
        while True:
            found = await self._collections.find(collection)
            if not any(found.counts.get(state) for state in (*PENDING_STATES, State.DELETING)):
                return found
            await asyncio.sleep(pause_s)
            pause_s = min(0.2, 1.5 * pause_s)

    async def _target(self, collection: str, *, create: bool) -> Collection:
        try:
            return await self._collections.find(collection)
        except NotFound:
            if not create:
                raise
        try:
            return await self._collections.create(collection, index_identity=self._plan.index_identity, metadata={})
        except Conflict:  # another caller has just made it
            return await self._collections.find(collection)

    def _version(self, submission: Submission, sha256: str) -> NewVersion:
        return NewVersion(
            submission.document_id,
            submission.filename,
            sha256,
            len(submission.data),
            submission.title,
            submission.plain_text,
            self._plan.recipe,
            submission.attributes,
            submission.file_id,
        )
