"""The state machine of ingestion: each step one commit, each repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, insert, select, update

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.schema import chunks, collections, documents, versions
from ragstead.model import PENDING_STATES, State, chunk_key
from ragstead.ports.ledger import Parsed, Work


class SqlLedger:
    """Is the `Ledger` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, limit: int, state: State | None = None) -> list[Work]:
        """Return the oldest versions on their way."""
        states = PENDING_STATES if state is None else (state,)
        query = (
            select(
                versions,
                documents.c.document_id,
                documents.c.filename,
                collections.c.collection_id,
                collections.c.index_name,
                collections.c.index_identity,
            )
            .select_from(
                versions.join(documents, documents.c.key == versions.c.document_key).join(
                    collections, collections.c.key == documents.c.collection_key
                )
            )
            .where(versions.c.state.in_(states), ~versions.c.dead)
            .order_by(versions.c.key)
            .limit(limit)
        )
        return await self._database.read(lambda c: [_work(row) for row in c.execute(query)])

    async def advance(self, version_keys: Sequence[int], state: State) -> None:
        """Record that these versions have come to `state`."""
        await self._database.run(lambda c: _set_state(c, version_keys, state))

    async def record(self, parsed: Sequence[Parsed], failed: Mapping[int, str]) -> None:
        """Store texts and chunks; fail the others."""

        def work(connection: Connection) -> None:
            for one in parsed:
                _record(connection, one)
            for version_key, reason in failed.items():
                _set_state(connection, [version_key], State.FAILED, reason)
            _go_live(connection, [one.version_key for one in parsed if not one.chunks], State.EMPTY)

        await self._database.run(work)

    async def publish(self, version_keys: Sequence[int]) -> None:
        """Make these versions the live ones in one visible step."""
        await self._database.run(lambda c: _go_live(c, version_keys, State.INDEXED))


def _work(row: Row[Any]) -> Work:
    return Work(
        row.key,
        row.collection_id,
        row.index_name,
        row.index_identity,
        row.document_id,
        row.filename,
        row.title,
        row.sha256,
        row.plain_text,
        State(row.state),
    )


def _set_state(connection: Connection, version_keys: Sequence[int], state: State, reason: str | None = None) -> None:
    connection.execute(update(versions).where(versions.c.key.in_(version_keys), ~versions.c.dead).values(state=state))
    connection.execute(
        update(documents)
        .where(
            documents.c.key.in_(
                select(versions.c.document_key).where(versions.c.key.in_(version_keys), ~versions.c.dead)
            )
        )
        .values(state=state, reason=reason)
    )


def _record(connection: Connection, one: Parsed) -> None:
    row = connection.execute(
        select(versions.c.given_title).where(versions.c.key == one.version_key, ~versions.c.dead)
    ).one_or_none()
    if row is None:  # deleted or replaced while it was parsed
        return
    connection.execute(delete(chunks).where(chunks.c.version_key == one.version_key))
    connection.execute(
        update(versions)
        .where(versions.c.key == one.version_key)
        .values(
            title=row.given_title or one.extracted.title,
            indexed_title=one.indexed_title,
            text=one.extracted.text,
            pages=len(one.extracted.page_starts) or None,
            chunk_count=len(one.chunks),
        )
    )
    if one.chunks:
        connection.execute(insert(chunks), [_chunk_values(one.version_key, chunk) for chunk in one.chunks])
    _set_state(connection, [one.version_key], State.EMBEDDING)


def _chunk_values(version_key: int, chunk: Any) -> dict[str, Any]:
    return {
        "key": chunk_key(version_key, chunk.position),
        "version_key": version_key,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "heading_path": list(chunk.heading_path),
        "text": chunk.text,
    }


def _go_live(connection: Connection, version_keys: Sequence[int], state: State) -> None:
    rows = connection.execute(
        select(versions.c.key, versions.c.document_key, documents.c.collection_key)
        .select_from(versions.join(documents, documents.c.key == versions.c.document_key))
        .where(versions.c.key.in_(version_keys), ~versions.c.dead)
    ).all()
    for row in rows:
        connection.execute(
            update(versions)
            .where(and_(versions.c.document_key == row.document_key, versions.c.key < row.key))
            .values(dead=True)
        )
        connection.execute(update(documents).where(documents.c.key == row.document_key).values(live_version=row.key))
    _set_state(connection, [row.key for row in rows], state)
    for collection_key in {row.collection_key for row in rows}:
        connection.execute(
            update(collections).where(collections.c.key == collection_key).values(version=collections.c.version + 1)
        )
