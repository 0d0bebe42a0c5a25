"""Documents and uploads as their owners see them."""

from __future__ import annotations

from typing import Protocol

from ragstead.model import Attributes, Document, StoredFile


class Documents(Protocol):
    """The documents of collections, read side."""

    async def find(self, collection_id: str, document_id: str) -> Document:
        """Return the document.

        Raises:
            NotFound: If the collection has none of that id.
        """
        ...

    async def list(self, collection_id: str, *, limit: int, after: str | None = None) -> list[Document]:
        """Return at most `limit` documents with ids above `after`, ascending by document id."""
        ...

    async def text(self, collection_id: str, document_id: str) -> str:
        """Return the extracted text of the live version, in which all offsets count; empty where none is live.

        Raises:
            NotFound: If the collection has no such document.
        """
        ...

    async def set_attributes(self, collection_id: str, document_id: str, attributes: Attributes) -> Document:
        """Replace the document's attributes, effective for the next search.

        Raises:
            NotFound: If the collection has no such document.
        """
        ...


class Files(Protocol):
    """Uploads, whether or not they are in a collection."""

    async def add(self, filename: str, purpose: str, sha256: str, size_bytes: int) -> StoredFile:
        """Record an upload whose bytes the blob store holds already; every call makes a new id."""
        ...

    async def find(self, file_id: str) -> StoredFile:
        """Return the upload.

        Raises:
            NotFound: If there is none of that id.
        """
        ...

    async def documents_of(self, file_id: str) -> list[Document]:
        """Return the documents made of the upload, in every collection."""
        ...

    async def list(self, *, limit: int, after: str | None = None) -> list[StoredFile]:
        """Return at most `limit` uploads, newest first, those that follow the id `after` in that order."""
        ...
