"""Conversations and their turns."""

from __future__ import annotations

import builtins
import re
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from ragstead.adapters.sqlalchemy_metadata.database import Database
from ragstead.adapters.sqlalchemy_metadata.rows import new_id
from ragstead.adapters.sqlalchemy_metadata.schema import conversation_turns, conversations
from ragstead.errors import Conflict, NotFound
from ragstead.ports.conversations import Conversation, KeptAnswer, KeptCitation, Turn
from ragstead.surrogates import without_surrogates

_ID = re.compile(r"conv_[0-9a-f]{24}")


class SqlConversations:
    """Is the `Conversations` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, owner: str, conversation_id: str) -> Conversation:
        """Return the conversation."""
        return await self._database.read(lambda c: _value(_row(c, owner, conversation_id)))

    async def list(
        self, owner: str, *, limit: int, after: str | None = None, newest_first: bool = True
    ) -> list[Conversation]:
        """Return a page of the owner's."""
        key = conversations.c.key

        def work(connection: Connection) -> list[Conversation]:
            query = select(conversations).where(conversations.c.owner == owner).limit(limit)
            if after is not None:
                last = _row(connection, owner, after).key
                query = query.where(key < last if newest_first else key > last)
            ordered = query.order_by(key.desc() if newest_first else key)
            return [_value(row) for row in connection.execute(ordered)]

        return await self._database.read(work)

    async def rename(self, owner: str, conversation_id: str, title: str) -> Conversation:
        """Give it another title."""

        def work(connection: Connection) -> Conversation:
            row = _row(connection, owner, conversation_id)
            _set(connection, row.key, title=_clean(title), updated_at=int(time.time()))
            return _value(_row(connection, owner, conversation_id))

        return await self._database.run(work)

    async def delete(self, owner: str, conversation_id: str) -> None:
        """Forget it, in SQLite's files too."""

        def work(connection: Connection) -> None:
            key = _row(connection, owner, conversation_id).key
            connection.execute(delete(conversation_turns).where(conversation_turns.c.conversation_key == key))
            connection.execute(delete(conversations).where(conversations.c.key == key))

        await self._database.run(work)
        await self._database.empty_journal()


class SqlConversationTurns:
    """Is the `ConversationTurns` port."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, owner: str, title: str = "") -> Conversation:
        """Add a conversation."""
        now = int(time.time())
        made = Conversation(new_id("conv_"), owner, _clean(title), now, now)
        row = asdict(made) | {"collections": []}
        await self._database.run(lambda c: c.execute(insert(conversations), row))
        return made

    async def read(
        self, owner: str, conversation_id: str, *, limit: int, after: int = 0, newest_first: bool = False
    ) -> list[Turn]:
        """Return a page of turns."""
        number = conversation_turns.c.number

        def work(connection: Connection) -> list[Turn]:
            key = _row(connection, owner, conversation_id).key
            query = select(conversation_turns).where(conversation_turns.c.conversation_key == key).limit(limit)
            if after:
                query = query.where(number < after if newest_first else number > after)
            ordered = query.order_by(number.desc() if newest_first else number)
            return [_turn(row) for row in connection.execute(ordered)]

        return await self._database.read(work)

    async def append(self, owner: str, conversation_id: str, turns: Sequence[Turn], title: str = "") -> Conversation:
        """Add turns in one transaction, under the lock of the conversation's row."""

        def work(connection: Connection) -> Conversation:
            row = _row(connection, owner, conversation_id, locked=True)
            if [one.number for one in turns] != list(range(row.turns + 1, row.turns + 1 + len(turns))):
                raise Conflict(f"conversation {conversation_id!r} has grown meanwhile; ask again")
            connection.execute(insert(conversation_turns), [_turn_row(row.key, one) for one in turns])
            used = [one.answer.collection_id for one in turns if one.answer is not None]
            _set(
                connection,
                row.key,
                turns=row.turns + len(turns),
                title=row.title or _clean(title),
                updated_at=turns[-1].created_at,
                collections=builtins.list(dict.fromkeys([*row.collections, *used])),
            )
            return _value(_row(connection, owner, conversation_id))

        return await self._database.run(work)

    async def summarise(self, owner: str, conversation_id: str, summary: str, summarised: int) -> None:
        """Keep a summary."""

        def work(connection: Connection) -> None:
            key = _row(connection, owner, conversation_id).key
            _set(connection, key, summary=_clean(summary), summarised=summarised)

        await self._database.run(work)


def _row(connection: Connection, owner: str, conversation_id: str, *, locked: bool = False) -> Row[Any]:
    """Return the row of the owner's conversation; what is no id of ours is not asked for."""
    query = select(conversations).where(
        conversations.c.conversation_id == conversation_id, conversations.c.owner == owner
    )
    if locked:
        query = query.with_for_update()  # nothing to SQLite, whose transactions that write come one after the other
    row = connection.execute(query).one_or_none() if _ID.fullmatch(conversation_id) else None
    if row is None:
        raise NotFound("conversation", conversation_id[:80], "`GET /v1/conversations` lists yours")
    return row


def _set(connection: Connection, key: int, **values: object) -> None:
    connection.execute(update(conversations).where(conversations.c.key == key).values(**values))


def _value(row: Row[Any]) -> Conversation:
    return Conversation(
        row.conversation_id,
        row.owner,
        row.title,
        row.created_at,
        row.updated_at,
        row.turns,
        row.summary,
        row.summarised,
        tuple(row.collections),
    )


def _turn(row: Row[Any]) -> Turn:
    answer = None
    if row.answer is not None:
        citations = tuple(KeptCitation(**one) for one in row.answer["citations"])
        answer = KeptAnswer(**{**row.answer, "citations": citations})
    return Turn(row.number, row.role, row.content, row.created_at, answer)


def _turn_row(key: int, turn: Turn) -> dict[str, object]:
    answer = None if turn.answer is None else _cleaned(asdict(turn.answer))
    return {
        "conversation_key": key,
        "number": turn.number,
        "role": turn.role,
        "content": _clean(turn.content),
        "created_at": turn.created_at,
        "answer": answer,
    }


def _cleaned(value: object) -> object:
    """Clean every text in a JSON value."""
    if isinstance(value, str):
        return _clean(value)
    if isinstance(value, dict):
        return {name: _cleaned(one) for name, one in value.items()}
    return [_cleaned(one) for one in value] if isinstance(value, list | tuple) else value


def _clean(text: str) -> str:
    """Replace what PostgreSQL's texts can't hold, one code point for one, so that offsets stay."""
    return without_surrogates(text).replace("\x00", "\ufffd")
