"""Collections, documents and uploads, as their owners see them."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.rows import (
    collection_row,
    document_row,
    document_rows,
    file_row,
    new_id,
    to_collection,
    to_document,
    to_file,
    write_attributes,
)
from ragstead.adapters.sqlalchemy_metadata.schema import collections, documents, files, versions
from ragstead.errors import Conflict
from ragstead.model import Attributes, Collection, Document, State, StoredFile


class SqlCollections:
    """Is the `Collections` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str, *, index_identity: str, metadata: Mapping[str, str]) -> Collection:
        """Add an empty collection."""
        return await self._database.run(lambda c: _create(c, name, index_identity, metadata))

    async def find(self, name_or_id: str) -> Collection:
        """Return the collection with its counts."""
        return await self._database.read(lambda c: _with_counts(c, name_or_id))

    async def list(self) -> list[Collection]:
        """Return all, oldest first."""
        return await self._database.read(_all_collections)

    async def change(self, collection_id: str, *, name: str | None, metadata: Mapping[str, str] | None) -> Collection:
        """Rename it or replace its labels."""
        return await self._database.run(lambda c: _change(c, collection_id, name, metadata))


class SqlDocuments:
    """Is the `Documents` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, collection_id: str, document_id: str) -> Document:
        """Return the document."""

        def work(connection: Connection) -> Document:
            key = collection_row(connection, collection_id).key
            return to_document(document_row(connection, key, document_id))

        return await self._database.read(work)

    async def list(self, collection_id: str, *, limit: int, after: str | None = None) -> list[Document]:
        """Return a page, ascending by document id."""

        def work(connection: Connection) -> list[Document]:
            key = collection_row(connection, collection_id).key
            query = document_rows().where(documents.c.collection_key == key, documents.c.state != State.DELETING)
            if after is not None:
                query = query.where(documents.c.document_id > after)
            page = query.order_by(documents.c.document_id).limit(limit)
            return [to_document(row) for row in connection.execute(page)]

        return await self._database.read(work)

    async def text(self, collection_id: str, document_id: str) -> str:
        """Return the extracted text of the live version."""

        def work(connection: Connection) -> str:
            key = collection_row(connection, collection_id).key
            row = document_row(connection, key, document_id)
            query = select(versions.c.text).where(versions.c.key == row.live_version)
            return connection.execute(query).scalar_one_or_none() or ""

        return await self._database.read(work)

    async def set_attributes(self, collection_id: str, document_id: str, attributes: Attributes) -> Document:
        """Replace the document's attributes."""

        def work(connection: Connection) -> Document:
            key = collection_row(connection, collection_id).key
            row = document_row(connection, key, document_id)
            connection.execute(update(documents).where(documents.c.key == row.key).values(attributes=dict(attributes)))
            write_attributes(connection, row.key, attributes)
            connection.execute(
                update(collections).where(collections.c.key == key).values(version=collections.c.version + 1)
            )
            return to_document(document_row(connection, key, document_id))

        return await self._database.run(work)


class SqlFiles:
    """Is the `Files` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, filename: str, purpose: str, sha256: str, size_bytes: int) -> StoredFile:
        """Record an upload."""
        values = {
            "file_id": new_id("file-"),
            "filename": filename,
            "purpose": purpose,
            "size_bytes": size_bytes,
            "sha256": sha256,
            "created_at": int(time.time()),
            "owned": False,
        }

        def work(connection: Connection) -> StoredFile:
            connection.execute(insert(files), values)
            return to_file(file_row(connection, str(values["file_id"])))

        return await self._database.run(work)

    async def find(self, file_id: str) -> StoredFile:
        """Return the upload."""
        return await self._database.read(lambda c: to_file(file_row(c, file_id)))

    async def documents_of(self, file_id: str) -> list[Document]:
        """Return the documents made of the upload."""
        query = (
            document_rows()
            .where(documents.c.file_id == file_id, documents.c.state != State.DELETING)
            .order_by(documents.c.key)
        )
        return await self._database.read(lambda c: [to_document(row) for row in c.execute(query)])

    async def list(self, *, limit: int, after: str | None = None) -> list[StoredFile]:
        """Return a page, newest first."""

        def work(connection: Connection) -> list[StoredFile]:
            query = select(files).order_by(files.c.key.desc()).limit(limit)
            if after is not None:
                query = query.where(files.c.key < file_row(connection, after).key)
            return [to_file(row) for row in connection.execute(query)]

        return await self._database.read(work)


def _create(connection: Connection, name: str, identity: str, labels: Mapping[str, str]) -> Collection:
    collection_id = new_id("vs_")
    row = {
        "collection_id": collection_id,
        "name": name,
        "version": 0,
        "index_name": f"index_{collection_id[3:]}_1",
        "index_identity": identity,
        "created_at": int(time.time()),
        "labels": dict(labels),
    }
    try:
        connection.execute(insert(collections), row)
    except IntegrityError as exc:
        raise Conflict(f"a collection named {name!r} is there already") from exc
    return to_collection(collection_row(connection, collection_id), {})


def _change(
    connection: Connection, collection_id: str, name: str | None, labels: Mapping[str, str] | None
) -> Collection:
    row = collection_row(connection, collection_id)
    values = {
        "name": row.name if name is None else name,
        "labels": row.labels if labels is None else dict(labels),
    }
    try:
        connection.execute(update(collections).where(collections.c.key == row.key).values(**values))
    except IntegrityError as exc:
        raise Conflict(f"a collection named {name!r} is there already") from exc
    return _with_counts(connection, row.collection_id)


def _counts(connection: Connection) -> dict[int, dict[State, int]]:
    query = select(documents.c.collection_key, documents.c.state, func.count()).group_by(
        documents.c.collection_key, documents.c.state
    )
    out: dict[int, dict[State, int]] = {}
    for key, state, count in connection.execute(query):
        out.setdefault(key, {})[State(state)] = count
    return out


def _sizes(connection: Connection) -> dict[int, int]:
    """Return the bytes of the files behind each collection's documents, by the collection's key."""
    query = (
        select(documents.c.collection_key, func.sum(files.c.size_bytes))
        .join(files, files.c.file_id == documents.c.file_id)
        .where(documents.c.state != State.DELETING)
        .group_by(documents.c.collection_key)
    )
    return {key: int(size) for key, size in connection.execute(query)}


def _with_counts(connection: Connection, name_or_id: str) -> Collection:
    row = collection_row(connection, name_or_id)
    return to_collection(row, _counts(connection).get(row.key, {}), _sizes(connection).get(row.key, 0))


def _all_collections(connection: Connection) -> list[Collection]:
    counts, sizes = _counts(connection), _sizes(connection)
    query = select(collections).where(collections.c.name.is_not(None)).order_by(collections.c.key)
    return [to_collection(row, counts.get(row.key, {}), sizes.get(row.key, 0)) for row in connection.execute(query)]
