"""What owners change: submissions and deletions, each one commit."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.rows import (
    collection_row,
    document_row,
    file_row,
    new_id,
    write_attributes,
)
from ragstead.adapters.sqlalchemy_metadata.schema import collections, documents, files, versions
from ragstead.model import PENDING_STATES, State
from ragstead.ports.ledger import NewVersion, Submitted

_SETTLED = (State.INDEXED, State.EMPTY)


class SqlIntake:
    """Is the `Intake` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def submit(self, collection_id: str, versions: Sequence[NewVersion]) -> list[Submitted]:
        """Record versions as queued, in order."""

        def work(connection: Connection) -> list[Submitted]:
            key = collection_row(connection, collection_id).key
            return [_submit(connection, key, version) for version in versions]

        return await self._database.run(work)

    async def delete_document(self, collection_id: str, document_id: str) -> None:
        """Mark the document as deleting."""

        def work(connection: Connection) -> None:
            key = collection_row(connection, collection_id).key
            mark_deleting(connection, [document_row(connection, key, document_id).key])
            _bump(connection, key)

        await self._database.run(work)

    async def delete_collection(self, collection_id: str) -> None:
        """Mark it and its documents as deleting."""

        def work(connection: Connection) -> None:
            key = collection_row(connection, collection_id).key
            keys = connection.execute(select(documents.c.key).where(documents.c.collection_key == key))
            mark_deleting(connection, list(keys.scalars()))
            connection.execute(update(collections).where(collections.c.key == key).values(name=None))

        await self._database.run(work)

    async def delete_file(self, file_id: str) -> None:
        """Forget the upload and mark the documents made of it as deleting."""

        def work(connection: Connection) -> None:
            file_row(connection, file_id)
            made = connection.execute(
                select(documents.c.key, documents.c.collection_key).where(documents.c.file_id == file_id)
            ).all()
            mark_deleting(connection, [row.key for row in made])
            for collection_key in {row.collection_key for row in made}:
                _bump(connection, collection_key)
            # the sweep takes the file's row and blob once the documents are gone
            connection.execute(update(files).where(files.c.file_id == file_id).values(owned=True))
            if not made:
                connection.execute(delete(files).where(files.c.file_id == file_id))

        await self._database.run(work)


def mark_deleting(connection: Connection, document_keys: Sequence[int]) -> None:
    """Take documents out of sight and mark all their versions dead."""
    for start in range(0, len(document_keys), 10_000):
        some = document_keys[start : start + 10_000]
        connection.execute(
            update(documents)
            .where(documents.c.key.in_(some))
            .values(state=State.DELETING, live_version=None, reason=None)
        )
        connection.execute(update(versions).where(versions.c.document_key.in_(some)).values(dead=True))


def _bump(connection: Connection, collection_key: int) -> None:
    connection.execute(
        update(collections).where(collections.c.key == collection_key).values(version=collections.c.version + 1)
    )


# Statements of every submission are made once, and given their values apart: making one takes longer than running it.
_DOCUMENT = select(documents).where(
    documents.c.collection_key == bindparam("collection"), documents.c.document_id == bindparam("document")
)
_ADD_DOCUMENT, _ADD_FILE, _ADD_VERSION = insert(documents), insert(files), insert(versions)


def _submit(connection: Connection, collection_key: int, new: NewVersion) -> Submitted:
    row = connection.execute(_DOCUMENT, {"collection": collection_key, "document": new.document_id}).one_or_none()
    if row is None:
        return _add(connection, collection_key, new)
    if new.file_id is not None and new.file_id != row.file_id:
        file_row(connection, new.file_id)
        row = _exchange_file(connection, row, new.file_id)
    _describe(connection, collection_key, row, new)
    if _is_known(connection, row, new):
        return Submitted(new.document_id, row.file_id, "unchanged")
    _drop_pending(connection, row.key)
    _queue(connection, row.key, new)
    connection.execute(update(documents).where(documents.c.key == row.key).values(state=State.QUEUED, reason=None))
    connection.execute(
        update(files)
        .where(files.c.file_id == row.file_id, files.c.owned)
        .values(size_bytes=new.size_bytes, sha256=new.sha256)
    )
    return Submitted(new.document_id, row.file_id, "queued")


def _add(connection: Connection, collection_key: int, new: NewVersion) -> Submitted:
    file_id = new.file_id
    if file_id is None:
        file_id = _own_file(connection, new)
    else:
        file_row(connection, file_id)
    added = connection.execute(
        _ADD_DOCUMENT,
        {
            "collection_key": collection_key,
            "document_id": new.document_id,
            "file_id": file_id,
            "filename": new.filename,
            "live_version": None,
            "state": State.QUEUED,
            "attributes": dict(new.attributes),
            "created_at": int(time.time()),
        },
    )
    key = added.inserted_primary_key
    assert key is not None  # an INSERT of one row always has one
    if new.attributes:
        write_attributes(connection, key[0], new.attributes)
    _queue(connection, key[0], new)
    return Submitted(new.document_id, file_id, "queued")


def _own_file(connection: Connection, new: NewVersion) -> str:
    file_id = new_id("file-")
    connection.execute(
        _ADD_FILE,
        {
            "file_id": file_id,
            "filename": new.filename,
            "purpose": "assistants",
            "size_bytes": new.size_bytes,
            "sha256": new.sha256,
            "created_at": int(time.time()),
            "owned": True,
        },
    )
    return file_id


def _exchange_file(connection: Connection, row: Row[Any], file_id: str) -> Row[Any]:
    connection.execute(update(documents).where(documents.c.key == row.key).values(file_id=file_id))
    left = connection.execute(select(documents.c.key).where(documents.c.file_id == row.file_id)).first()
    if left is None:
        connection.execute(delete(files).where(files.c.file_id == row.file_id, files.c.owned))
    return connection.execute(select(documents).where(documents.c.key == row.key)).one()


def _describe(connection: Connection, collection_key: int, row: Row[Any], new: NewVersion) -> None:
    """Replace attributes and file name, which need no new index entries."""
    if row.attributes == dict(new.attributes) and row.filename == new.filename:
        return
    connection.execute(
        update(documents)
        .where(documents.c.key == row.key)
        .values(attributes=dict(new.attributes), filename=new.filename)
    )
    connection.execute(update(files).where(files.c.file_id == row.file_id, files.c.owned).values(filename=new.filename))
    write_attributes(connection, row.key, new.attributes)
    _bump(connection, collection_key)


def _is_known(connection: Connection, row: Row[Any], new: NewVersion) -> bool:
    """True where the newest version of the document is this content, and settled or on its way."""
    newest = connection.execute(
        select(versions)
        .where(versions.c.document_key == row.key, ~versions.c.dead)
        .order_by(versions.c.key.desc())
        .limit(1)
    ).one_or_none()
    return (
        newest is not None
        and newest.state in (*_SETTLED, *PENDING_STATES)
        and (newest.sha256, newest.given_title, newest.plain_text, newest.recipe)
        == (new.sha256, new.title, new.plain_text, new.recipe)
    )


def _drop_pending(connection: Connection, document_key: int) -> None:
    connection.execute(
        update(versions)
        .where(
            versions.c.document_key == document_key,
            versions.c.state.in_((*PENDING_STATES, State.FAILED)),
        )
        .values(dead=True)
    )


def _queue(connection: Connection, document_key: int, new: NewVersion) -> None:
    connection.execute(
        _ADD_VERSION,
        {
            "document_key": document_key,
            "sha256": new.sha256,
            "size_bytes": new.size_bytes,
            "given_title": new.title,
            "title": new.title,
            "plain_text": new.plain_text,
            "recipe": new.recipe,
            "state": State.QUEUED,
            "dead": False,
            "text": "",
            "chunk_count": 0,
        },
    )
