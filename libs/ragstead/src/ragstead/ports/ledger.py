"""The state machine of ingestion, kept in the metadata database."""

from __future__ import annotations

from collections.abc import Collection as Many
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from ragstead.model import Attributes, Chunk, ExtractedText, State


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A content that a document is to have.

    Attributes:
        document_id: Unique in its collection.
        filename: As it was given.
        sha256: The blob that holds its bytes.
        size_bytes: Their number.
        title: The title that the caller gave, or empty; the file's own counts where it is empty.
        plain_text: True where the bytes are UTF-8 text that needs no parsing.
        recipe: What chunks are made by; another recipe is another version.
        attributes: The caller's own, for filters.
        file_id: The upload it is made of, or None where the document gets a file of its own.
    """

    document_id: str
    filename: str
    sha256: str
    size_bytes: int
    title: str
    plain_text: bool
    recipe: str
    attributes: Attributes = field(default_factory=dict)
    file_id: str | None = None


@dataclass(frozen=True, slots=True)
class Submitted:
    """What became of a document that was handed in."""

    document_id: str
    file_id: str
    outcome: Literal["queued", "unchanged"]


@dataclass(frozen=True, slots=True)
class Work:
    """A version on its way in.

    Attributes:
        version_key: Its number; never used again.
        collection_id: Its collection.
        index_name: The collection's physical index.
        index_identity: What that index was made with.
        document_id: Its document.
        filename: As it was given.
        title: The title that counts so far: the caller's, or after parsing the file's own.
        sha256: The blob that holds its bytes.
        plain_text: True where they need no parsing.
        state: How far it has come; a version found in `indexing` has to be embedded again.
        may_leave: Whether its collection lets texts be sent to a hosted API.
    """

    version_key: int
    collection_id: str
    index_name: str
    index_identity: str
    document_id: str
    filename: str
    title: str
    sha256: str
    plain_text: bool
    state: State
    may_leave: bool = False


@dataclass(frozen=True, slots=True)
class Parsed:
    """What parsing and chunking made of a version.

    Attributes:
        version_key: The version.
        extracted: Its text and title.
        indexed_title: The title as it is indexed with every chunk, cut where it is very long.
        chunks: None where it holds no text.
    """

    version_key: int
    extracted: ExtractedText
    indexed_title: str
    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class IndexableChunk:
    """A chunk as the indexes need it.

    Attributes:
        key: Its integer in the indexes.
        heading: Title and heading path as one line; may be empty.
        body: Its text.
    """

    key: int
    heading: str
    body: str

    @property
    def text(self) -> str:
        """What is embedded."""
        return f"{self.heading}\n{self.body}" if self.heading else self.body


@dataclass(frozen=True, slots=True)
class Dead:
    """Versions that nobody can find any more and that the indexes may still hold.

    Attributes:
        index_name: The physical index they are in.
        version_keys: The versions.
    """

    index_name: str
    version_keys: frozenset[int]


class Intake(Protocol):
    """What owners change: each call is one commit."""

    async def submit(self, collection_id: str, versions: Sequence[NewVersion]) -> list[Submitted]:
        """Record versions as queued, in order; the same content, title and recipe again is `unchanged`.

        Attributes and file name of an unchanged document are replaced at once. A version that was still on its way
        for the same document is dropped in favour of the new one. A failed document is tried again.

        Raises:
            NotFound: If the collection, or an upload that is named, is not there.
        """
        ...

    async def delete_document(self, collection_id: str, document_id: str) -> None:
        """Mark the document as deleting; from this commit on nothing of it is found.

        Raises:
            NotFound: If the collection has no such document.
        """
        ...

    async def delete_collection(self, collection_id: str) -> None:
        """Mark it and its documents as deleting; from this commit on its name is free.

        Raises:
            NotFound: If there is none.
        """
        ...

    async def delete_file(self, file_id: str) -> None:
        """Forget the upload and mark the documents made of it as deleting.

        Raises:
            NotFound: If there is none.
        """
        ...


class Ledger(Protocol):
    """What the ingestion worker records: each call is one commit, and each may be repeated."""

    async def claim(self, limit: int, state: State | None = None) -> list[Work]:
        """Return the oldest versions that are on their way, at most `limit`, those in `state` alone if it is given."""
        ...

    async def advance(self, version_keys: Sequence[int], state: State) -> None:
        """Record that these versions have come to `state`."""
        ...

    async def record(self, parsed: Sequence[Parsed], failed: Mapping[int, str]) -> None:
        """Store texts and chunks and move them on to `embedding`, and fail the others with their reasons.

        A version without chunks becomes live as an empty document at once. A failed version leaves the document's
        live one, if any, in place.
        """
        ...

    async def publish(self, version_keys: Sequence[int]) -> None:
        """Make these versions the live ones in one visible step; those they replace are dead from then on."""
        ...


class IndexTruth(Protocol):
    """What the indexes ought to hold, and what they may forget."""

    async def chunks(self, version_keys: Sequence[int]) -> dict[int, Sequence[IndexableChunk]]:
        """Return every chunk by version, in order of position."""
        ...

    async def live_keys(self, index_name: str) -> Mapping[int, int]:
        """Return the number of chunks of each live version in the index, by version key."""
        ...

    async def reopen(self, version_keys: Many[int]) -> None:
        """Send live versions whose chunks an index has lost back to `embedding`; they stay live."""
        ...

    async def index_names(self) -> Mapping[str, str]:
        """Return what each physical index was made with, by its name; of the collections there are."""
        ...


class Sweeping(Protocol):
    """The tail of a delete or a replacement."""

    async def dead(self, limit: int) -> list[Dead]:
        """Return versions that are dead, at most `limit`, and indexes that are, with no versions named."""
        ...

    async def needed_blobs(self) -> set[str]:
        """Return the blobs that a version or an upload names."""
        ...

    async def forget(self, dead: Dead) -> list[str]:
        """Remove the rows of what both indexes have forgotten; return the blobs that nothing needs any more."""
        ...
