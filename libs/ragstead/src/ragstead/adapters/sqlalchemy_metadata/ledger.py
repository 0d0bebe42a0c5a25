"""The state machine of ingestion: each step one commit, each repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.schema import chunks, collections, documents, versions
from ragstead.model import PENDING_STATES, State, chunk_key, egress_allowed
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
                collections.c.labels.label("collection_labels"),
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
            _record(connection, parsed)
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
        egress_allowed(row.collection_labels),
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


# One statement for all versions of a batch: to make one takes longer than to run it.
_RECORD = (
    update(versions)
    .where(versions.c.key == bindparam("version"))
    .values({name: bindparam(f"new_{name}") for name in ("title", "indexed_title", "text", "pages", "chunk_count")})
)
_KILL_OLDER = (
    update(versions)
    .where(versions.c.document_key == bindparam("document"), versions.c.key < bindparam("version"))
    .values(dead=True)
)
_SHOW = update(documents).where(documents.c.key == bindparam("document")).values(live_version=bindparam("version"))


def _record(connection: Connection, parsed: Sequence[Parsed]) -> None:
    given = connection.execute(
        select(versions.c.key, versions.c.given_title).where(
            versions.c.key.in_([one.version_key for one in parsed]), ~versions.c.dead
        )
    )
    titles = {row.key: row.given_title for row in given}
    alive = [one for one in parsed if one.version_key in titles]  # others went or were replaced while being parsed
    if not alive:
        return
    connection.execute(delete(chunks).where(chunks.c.version_key.in_(list(titles))))
    connection.execute(_RECORD, [_recorded(one, titles[one.version_key]) for one in alive])
    rows = [_chunk_values(one.version_key, chunk) for one in alive for chunk in one.chunks]
    if rows:
        connection.execute(insert(chunks), rows)
    _set_state(connection, list(titles), State.EMBEDDING)


def _recorded(one: Parsed, given_title: str) -> dict[str, Any]:
    return {
        "version": one.version_key,
        "new_title": given_title or one.extracted.title,
        "new_indexed_title": one.indexed_title,
        "new_text": one.extracted.text,
        "new_pages": len(one.extracted.page_starts) or None,
        "new_chunk_count": len(one.chunks),
    }


def _chunk_values(version_key: int, chunk: Any) -> dict[str, Any]:
    return {
        "key": chunk_key(version_key, chunk.position),
        "version_key": version_key,
        "start": chunk.start,
        "end": chunk.end,
        "page": chunk.page,
        "heading_path": list(chunk.heading_path),
        "text": chunk.text,
        "page_breaks": list(chunk.page_breaks) or None,
        "injection": chunk.injection,
    }


def _go_live(connection: Connection, version_keys: Sequence[int], state: State) -> None:
    rows = connection.execute(
        select(versions.c.key, versions.c.document_key, documents.c.collection_key)
        .select_from(versions.join(documents, documents.c.key == versions.c.document_key))
        .where(versions.c.key.in_(version_keys), ~versions.c.dead)
    ).all()
    if not rows:
        return
    steps = [{"document": row.document_key, "version": row.key} for row in rows]
    connection.execute(_KILL_OLDER, steps)
    connection.execute(_SHOW, steps)
    _set_state(connection, [row.key for row in rows], state)
    for collection_key in {row.collection_key for row in rows}:
        connection.execute(
            update(collections).where(collections.c.key == collection_key).values(version=collections.c.version + 1)
        )
