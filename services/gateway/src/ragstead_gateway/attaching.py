"""How an upload becomes a document of a collection."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ragstead.errors import NotFound
from ragstead.model import Attributes, Collection, Document, StoredFile
from ragstead.pipelines.ingest import Submission
from ragstead_gateway.facade import Platform


async def attach(
    platform: Platform, collection: Collection, file_id: str, attributes: Attributes, document_id: str | None = None
) -> Document:
    """Make a document of an upload and queue it.

    Args:
        platform: The platform.
        collection: Where the document goes.
        file_id: The upload.
        attributes: The document's.
        document_id: Its id, and a document that has it is replaced; None for the file's name, or `name#file_id` where
            another file's document has that name.

    Raises:
        NotFound: If the upload or the collection is not there.
    """
    file = await platform.files.find(file_id)
    wanted = document_id or await _free_id(platform, collection, file)
    data = await asyncio.to_thread(platform.blobs.path(file.sha256).read_bytes)
    submission = Submission(wanted, file.filename, data, attributes, file_id=file_id)
    done = await platform.ingestor.submit(collection.collection_id, [submission], create=False)
    return await platform.documents.find(collection.collection_id, done[0].document_id)


async def attach_all(
    platform: Platform, collection: Collection, file_ids: Iterable[str], attributes: Attributes
) -> list[Document]:
    """Make documents of several uploads, one after the other: only one's bytes are in memory."""
    return [await attach(platform, collection, file_id, attributes) for file_id in file_ids]


async def _free_id(platform: Platform, collection: Collection, file: StoredFile) -> str:
    try:
        taken = await platform.documents.find(collection.collection_id, file.filename)
    except NotFound:
        return file.filename
    return file.filename if taken.file_id == file.file_id else f"{file.filename}#{file.file_id}"


async def document_of(platform: Platform, collection: Collection, file_id: str) -> Document:
    """Return the document that a collection has of an upload; the first one made where there are several.

    Raises:
        NotFound: If it has none.
    """
    for document in await platform.files.documents_of(file_id):
        if document.collection_id == collection.collection_id:
            return document
    raise NotFound("file", file_id, f"it is not in collection {collection.name!r}")
