"""What the indexes ought to hold, and the tail of deletions and replacements."""

from __future__ import annotations

from collections.abc import Collection as Many
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, select, union, update

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.schema import (
    attributes,
    chunks,
    collections,
    documents,
    files,
    versions,
)
from ragstead.model import Chunk, State, heading_line
from ragstead.ports.ledger import Dead, IndexableChunk


class SqlIndexTruth:
    """Is the `IndexTruth` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def chunks(self, version_keys: Sequence[int]) -> dict[int, Sequence[IndexableChunk]]:
        """Return every chunk by version."""
        query = (
            select(chunks, versions.c.indexed_title)
            .select_from(chunks.join(versions, versions.c.key == chunks.c.version_key))
            .where(chunks.c.version_key.in_(version_keys))
            .order_by(chunks.c.key)
        )

        def work(connection: Connection) -> dict[int, Sequence[IndexableChunk]]:
            out: dict[int, list[IndexableChunk]] = {key: [] for key in version_keys}
            for row in connection.execute(query):
                out[row.version_key].append(_indexable(row))
            return dict(out)

        return await self._database.read(work)

    async def live_keys(self, index_name: str) -> Mapping[int, int]:
        """Return the number of chunks of each live version."""
        query = (
            select(versions.c.key, versions.c.chunk_count)
            .select_from(
                versions.join(documents, documents.c.live_version == versions.c.key).join(
                    collections, collections.c.key == documents.c.collection_key
                )
            )
            .where(collections.c.index_name == index_name)
        )
        return await self._database.read(lambda c: {row.key: row.chunk_count for row in c.execute(query)})

    async def reopen(self, version_keys: Many[int]) -> None:
        """Send live versions back to `embedding`."""
        await self._database.run(
            lambda c: c.execute(update(versions).where(versions.c.key.in_(version_keys)).values(state=State.EMBEDDING))
        )

    async def index_names(self) -> dict[str, str]:
        """Return what each physical index was made with, by its name."""
        query = select(collections.c.index_name, collections.c.index_identity).where(collections.c.name.is_not(None))
        return await self._database.read(lambda c: {row.index_name: row.index_identity for row in c.execute(query)})


class SqlSweeping:
    """Is the `Sweeping` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def dead(self, limit: int) -> list[Dead]:
        """Return versions that are dead by index, and whole indexes that are, with no versions named."""
        return await self._database.read(lambda c: _dead(c, limit))

    async def needed_blobs(self) -> set[str]:
        """Return the blobs that a version or an upload names."""
        query = union(select(versions.c.sha256), select(files.c.sha256))
        return await self._database.read(lambda c: set(c.execute(query).scalars()))

    async def forget(self, dead: Dead) -> list[str]:
        """Remove the rows; return the blobs that nothing needs any more."""
        return await self._database.run(lambda c: _forget(c, dead))


def _indexable(row: Row[Any]) -> IndexableChunk:
    chunk = Chunk(0, row.start, row.end, row.text, tuple(row.heading_path), row.page)
    return IndexableChunk(row.key, heading_line(row.indexed_title, chunk), row.text)


def _dead(connection: Connection, limit: int) -> list[Dead]:
    gone = list(connection.execute(select(collections.c.index_name).where(collections.c.name.is_(None))).scalars())
    query = (
        select(versions.c.key, collections.c.index_name)
        .select_from(
            versions.join(documents, documents.c.key == versions.c.document_key).join(
                collections, collections.c.key == documents.c.collection_key
            )
        )
        .where(versions.c.dead, collections.c.name.is_not(None))
        .order_by(versions.c.key)
        .limit(limit)
    )
    by_index: dict[str, set[int]] = {}
    for key, index_name in connection.execute(query):
        by_index.setdefault(index_name, set()).add(key)
    return [Dead(name, frozenset()) for name in gone] + [Dead(n, frozenset(k)) for n, k in by_index.items()]


def _forget(connection: Connection, dead: Dead) -> list[str]:
    collection = connection.execute(
        select(collections.c.key, collections.c.name).where(collections.c.index_name == dead.index_name)
    ).one_or_none()
    if collection is None:
        return []
    keys: Many[int] = dead.version_keys
    if collection.name is None:
        of_collection = select(documents.c.key).where(documents.c.collection_key == collection.key)
        keys = set(
            connection.execute(select(versions.c.key).where(versions.c.document_key.in_(of_collection))).scalars()
        )
    blobs = _forget_versions(connection, keys)
    blobs |= _forget_documents(connection, collection.key)
    if collection.name is None:
        connection.execute(delete(collections).where(collections.c.key == collection.key))
    return sorted(blobs - _needed(connection, blobs))


def _forget_versions(connection: Connection, keys: Many[int]) -> set[str]:
    dead = (versions.c.key.in_(keys), versions.c.dead)
    blobs = set(connection.execute(select(versions.c.sha256).where(*dead)).scalars())
    connection.execute(delete(chunks).where(chunks.c.version_key.in_(select(versions.c.key).where(*dead))))
    connection.execute(delete(versions).where(*dead))
    return blobs


def _forget_documents(connection: Connection, collection_key: int) -> set[str]:
    """Remove documents that are deleting and have no version left, and the files that were theirs alone."""
    gone = connection.execute(
        select(documents.c.key, documents.c.file_id).where(
            documents.c.collection_key == collection_key,
            documents.c.state == State.DELETING,
            documents.c.key.not_in(select(versions.c.document_key)),
        )
    ).all()
    keys = [row.key for row in gone]
    connection.execute(delete(attributes).where(attributes.c.document_key.in_(keys)))
    connection.execute(delete(documents).where(documents.c.key.in_(keys)))
    orphaned = (
        files.c.file_id.in_([row.file_id for row in gone]),
        files.c.owned,
        files.c.file_id.not_in(select(documents.c.file_id)),
    )
    blobs = set(connection.execute(select(files.c.sha256).where(*orphaned)).scalars())
    connection.execute(delete(files).where(*orphaned))
    return blobs


def _needed(connection: Connection, blobs: set[str]) -> set[str]:
    query = union(
        select(versions.c.sha256).where(versions.c.sha256.in_(blobs)),
        select(files.c.sha256).where(files.c.sha256.in_(blobs)),
    )
    return set(connection.execute(query).scalars())
