"""Rows to values: the look-ups that several of the stores here share."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, delete, insert, or_, select

from ragstead.adapters.sqlalchemy_metadata.schema import attributes, collections, documents, files, versions
from ragstead.errors import NotFound
from ragstead.filters import kind_of
from ragstead.model import Attributes, Collection, Document, State, StoredFile


def new_id(prefix: str) -> str:
    """Return an id that was never used: the prefix and 96 random bits."""
    return f"{prefix}{secrets.token_hex(12)}"


_COLLECTION = select(collections).where(
    collections.c.name.is_not(None),
    or_(collections.c.collection_id == bindparam("sought"), collections.c.name == bindparam("sought")),
)


def collection_row(connection: Connection, name_or_id: str) -> Row[Any]:
    """Return the row of the collection of that id or name, the id first; one that is being deleted has no name.

    Raises:
        NotFound: If there is none.
    """
    found = connection.execute(_COLLECTION, {"sought": name_or_id}).all()
    if not found:
        raise NotFound("collection", name_or_id, "`GET /v1/vector_stores` lists those there are")
    return next((row for row in found if row.collection_id == name_or_id), found[0])


def to_collection(row: Row[Any], counts: Mapping[State, int], size_bytes: int = 0) -> Collection:
    """Return the value of a row."""
    return Collection(
        row.collection_id,
        row.name,
        row.version,
        row.index_name,
        row.index_identity,
        row.created_at,
        row.labels,
        counts,
        size_bytes,
    )


def document_rows() -> Select[Any]:
    """Return the query of documents with what their newest and their live version know."""
    return select(
        documents,
        collections.c.collection_id.label("collection_id"),
        versions.c.title.label("title"),
        versions.c.pages.label("pages"),
        versions.c.chunk_count.label("chunk_count"),
        files.c.size_bytes.label("size_bytes"),
    ).select_from(
        documents.join(collections, collections.c.key == documents.c.collection_key)
        .outerjoin(versions, versions.c.key == documents.c.live_version)
        .outerjoin(files, files.c.file_id == documents.c.file_id)
    )


def document_row(connection: Connection, collection_key: int, document_id: str) -> Row[Any]:
    """Return the row of a document that is not being deleted.

    Raises:
        NotFound: If the collection has none of that id.
    """
    row = connection.execute(
        document_rows().where(
            documents.c.collection_key == collection_key,
            documents.c.document_id == document_id,
            documents.c.state != State.DELETING,
        )
    ).one_or_none()
    if row is None:
        raise NotFound("document", document_id)
    return row


def to_document(row: Row[Any]) -> Document:
    """Return the value of a row of `document_rows`."""
    return Document(
        row.collection_id,
        row.document_id,
        row.file_id,
        row.filename,
        row.title or "",
        State(row.state),
        row.reason,
        row.pages,
        row.chunk_count or 0,
        row.attributes,
        row.size_bytes or 0,
        row.created_at,
    )


def file_row(connection: Connection, file_id: str) -> Row[Any]:
    """Return the row of an upload.

    Raises:
        NotFound: If there is none of that id.
    """
    row = connection.execute(select(files).where(files.c.file_id == file_id)).one_or_none()
    if row is None:
        raise NotFound("file", file_id)
    return row


def to_file(row: Row[Any]) -> StoredFile:
    """Return the value of a row."""
    return StoredFile(row.file_id, row.filename, row.purpose, row.size_bytes, row.sha256, row.created_at)


def write_attributes(connection: Connection, document_key: int, values: Attributes) -> None:
    """Replace the rows that filters are evaluated over."""
    connection.execute(delete(attributes).where(attributes.c.document_key == document_key))
    if values:
        connection.execute(insert(attributes), [_attribute(document_key, k, v) for k, v in values.items()])


def _attribute(document_key: int, key: str, value: str | float | bool) -> dict[str, object]:
    kind = kind_of(value)
    return {
        "document_key": document_key,
        "key": key,
        "kind": kind,
        "text": value if kind == "string" else None,
        "number": None if kind == "string" else float(value),
    }


def live(collection_key: int) -> ColumnElement[bool]:
    """Return the condition under which a document of the collection can be found."""
    return and_(documents.c.collection_key == collection_key, documents.c.live_version.is_not(None))
