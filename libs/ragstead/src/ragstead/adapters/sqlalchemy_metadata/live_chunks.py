"""What retrieval reads: the live chunks, and the scopes that filters stand for."""

from __future__ import annotations

from collections.abc import Collection as Many
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, exists, false, func, not_, or_, select

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.rows import collection_row, live, to_collection
from ragstead.adapters.sqlalchemy_metadata.schema import attributes, chunks, collections, documents, versions
from ragstead.filters import Comparison, Compound, Filter, Membership, kind_of
from ragstead.model import (
    CHUNKS_PER_VERSION,
    EVERYTHING,
    AttributeValue,
    Chunk,
    Collection,
    Scope,
    StoredChunk,
    version_of,
)


class SqlLiveChunks:
    """Is the `LiveChunks` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def collection(self, name_or_id: str) -> Collection:
        """Return the collection, without its counts."""
        return await self._database.read(lambda c: to_collection(collection_row(c, name_or_id), {}))

    async def scope(self, collection_id: str, condition: Filter | None) -> Scope:
        """Return the smaller of the set that passes and the set that does not."""
        if condition is None:
            return EVERYTHING
        return await self._database.read(lambda c: _scope(c, collection_id, condition))

    async def fetch(self, collection_id: str, keys: Many[int], condition: Filter | None) -> dict[int, StoredChunk]:
        """Return the live ones among the keys."""
        if not keys:
            return {}
        return await self._database.read(lambda c: _fetch(c, collection_id, keys, condition))


def _scope(connection: Connection, collection_id: str, condition: Filter) -> Scope:
    of_collection = live(collection_row(connection, collection_id).key)
    passes = compile_filter(condition)
    total = connection.execute(select(func.count()).select_from(documents).where(of_collection)).scalar_one()
    passing = connection.execute(select(func.count()).select_from(documents).where(of_collection, passes)).scalar_one()
    exclude = passing > total / 2
    wanted = not_(passes) if exclude else passes
    query = select(documents.c.live_version).where(of_collection, wanted)
    return Scope(frozenset(connection.execute(query).scalars()), exclude=exclude)


_FETCH: Select[Any] = (
    select(
        chunks.c.key,
        chunks.c.start,
        chunks.c.end,
        chunks.c.text,
        chunks.c.heading_path,
        chunks.c.page,
        chunks.c.page_breaks,
        chunks.c.injection,
        versions.c.title,
        documents.c.document_id,
        documents.c.file_id,
        documents.c.filename,
    )
    .select_from(
        chunks.join(versions, versions.c.key == chunks.c.version_key).join(
            documents, documents.c.live_version == versions.c.key
        )
    )
    .where(
        # `+ 0` keeps the planner from walking the whole collection: the few keys are where to begin
        documents.c.collection_key + 0
        == select(collections.c.key)
        .where(collections.c.collection_id == bindparam("collection"), collections.c.name.is_not(None))
        .scalar_subquery(),
        chunks.c.key.in_(bindparam("keys", expanding=True)),
    )
)
"""Made once: to put it together takes longer than to run it."""


def _fetch(
    connection: Connection, collection_id: str, keys: Many[int], condition: Filter | None
) -> dict[int, StoredChunk]:
    query = _FETCH if condition is None else _FETCH.where(compile_filter(condition))
    rows = connection.execute(query, {"collection": collection_id, "keys": list(keys)})
    return {row.key: _stored(row) for row in rows}


def _stored(row: Row[Any]) -> StoredChunk:
    version = version_of(row.key)
    position = row.key % CHUNKS_PER_VERSION
    breaks = tuple(row.page_breaks or ())
    chunk = Chunk(position, row.start, row.end, row.text, tuple(row.heading_path), row.page, breaks, row.injection)
    chunk_id = f"{row.document_id}:{version}:{position}"
    return StoredChunk(row.key, chunk_id, row.document_id, row.file_id, row.filename, row.title, chunk)


def compile_filter(condition: Filter) -> ColumnElement[bool]:
    """Return the condition on `documents` that a filter stands for; the semantics are those of `ragstead.filters`."""
    match condition:
        case Compound("and", filters):
            return and_(*(compile_filter(part) for part in filters))
        case Compound(_, filters):
            return or_(*(compile_filter(part) for part in filters))
        case Membership(key, values):
            return _attribute(key, or_(false(), *(_same(value) for value in values)))
        case Comparison("eq", key, value):
            return _attribute(key, _same(value))
        case Comparison("ne", key, value):
            return _attribute(key, not_(_same(value)))
        case Comparison(operator, key, value):
            column = _column(value)
            ordering = {
                "gt": column > value,
                "gte": column >= value,
                "lt": column < value,
                "lte": column <= value,
            }
            return _attribute(key, and_(attributes.c.kind == kind_of(value), ordering[operator]))


def _attribute(key: str, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(attributes.c.document_key == documents.c.key, attributes.c.key == key, condition)


def _column(value: AttributeValue) -> ColumnElement[Any]:
    return attributes.c.text if kind_of(value) == "string" else attributes.c.number


def _same(value: AttributeValue) -> ColumnElement[bool]:
    operand = value if isinstance(value, str) else float(value)
    # coalesce: the other kind's column is null, and `not null` would be null instead of true
    return func.coalesce(and_(attributes.c.kind == kind_of(value), _column(value) == operand), false())
