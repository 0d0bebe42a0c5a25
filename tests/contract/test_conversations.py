"""The suite of conversations over the fake and over SQLite, and what a delete leaves in SQLite's files."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from ragstead.adapters.sqlalchemy_metadata import Database, SqlConversations, SqlConversationTurns
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.testing.contracts.conversations import A, ConversationsContract, ConversationStore, exchange
from ragstead.testing.conversations import MemoryConversations


class SqlStore(SqlConversations, SqlConversationTurns):
    """Both ports at once."""


@asynccontextmanager
async def opened_sql(url: str) -> AsyncIterator[SqlStore]:
    pool = ThreadWorkPool(4, max_waiting=100)
    database = Database(url, pool)
    try:
        yield SqlStore(database)
    finally:
        database.close()
        pool.close()


class TestMemoryConversations(ConversationsContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[ConversationStore]:
        yield MemoryConversations()


class TestSqlite(ConversationsContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[ConversationStore]:
        async with opened_sql(f"sqlite:///{folder / 'metadata.db'}") as store:
            yield store


def files_with(folder: Path, words: str) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if words.encode() in path.read_bytes())


def test_nothing_of_a_deleted_conversation_stays_in_the_files(tmp_path: Path) -> None:
    words = [
        "xylophone question",
        "quokka answer",
        "standalone xylophone",
        "quote of xylophone",
        "walrus title",
        "yak summary",
    ]

    async def run() -> None:
        async with opened_sql(f"sqlite:///{tmp_path / 'metadata.db'}") as store:
            stays = (await store.begin(A, "a title that stays")).conversation_id
            gone = (await store.begin(A, "walrus title")).conversation_id
            for number in range(1, 41, 2):  # over many pages
                await store.append(A, gone, exchange(number, "xylophone question" * 50, "quokka answer" * 200))
            await store.summarise(A, gone, "yak summary", 2)
            await store.rename(A, gone, "walrus title, renamed")
            assert all(files_with(tmp_path, one) for one in words)
            await store.delete(A, gone)
            assert [one for one in [*words, gone] if files_with(tmp_path, one)] == []
            assert files_with(tmp_path, "a title that stays")
            assert files_with(tmp_path, stays)

    asyncio.run(run())


def test_reader_of_an_older_state_does_not_keep_a_delete_and_the_next_one_takes_all(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with opened_sql(f"sqlite:///{tmp_path / 'metadata.db'}") as store:
            first, second = [(await store.begin(A, title)).conversation_id for title in ("walrus one", "walrus two")]
            with closing(sqlite3.connect(tmp_path / "metadata.db", isolation_level=None)) as reader:
                reader.execute("BEGIN")
                assert reader.execute("SELECT count(*) FROM conversations").fetchone() == (2,)
                await store.delete(A, first)
                assert "still holds what was deleted" in caplog.text
                assert await store.list(A, limit=9) != []
            await store.delete(A, second)
            assert files_with(tmp_path, "walrus") == []

    asyncio.run(run())
