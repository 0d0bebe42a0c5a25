"""The connection: pragmas, migrations, one transaction a call, errors translated at this edge."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, StaticPool, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from ragstead.adapters.sqlalchemy_metadata.schema import HEAD
from ragstead.errors import Unavailable
from ragstead.ports.work_pool import WorkPool

T = TypeVar("T")
_log = logging.getLogger(__name__)
_LOCK_S = 30
"""Seconds that a writer waits for another one."""
_READERS_MS = 2000
"""What emptying SQLite's journal waits for readers."""


class Database:
    """Opens the metadata database and runs each unit of work as one transaction in the pool.

    Args:
        url: An SQLAlchemy URL: `sqlite:///FILE` or `postgresql+psycopg://...`.
        pool: Where the blocking calls run.

    Raises:
        Unavailable: If the database can't be opened or migrated.
    """

    def __init__(self, url: str, pool: WorkPool) -> None:
        self._pool = pool
        self._engine = _engine(url)
        self._reader = self._engine.execution_options(reads_only=True)
        try:
            with self._engine.begin() as connection:
                _migrate(connection)
        except SQLAlchemyError as exc:
            raise Unavailable("metadata", f"the metadata database can't be opened: {_first_line(exc)}") from exc

    async def run(self, work: Callable[[Connection], T]) -> T:
        """Return what `work` returns, after its transaction is committed; nothing of it stays if it raises.

        Raises:
            Unavailable: If the database is down, locked or its disk is full.
        """
        return await self._pool.run(lambda: _transact(self._engine, work))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Do the same for work that only reads: it sees one state of the database and waits for no writer."""
        return await self._pool.run(lambda: _transact(self._reader, work))

    async def empty_journal(self) -> None:
        """Take what was deleted out of SQLite's journal too.

        The pages themselves are overwritten when their rows are deleted (`secure_delete`). Whoever reads an older state
        meanwhile is waited for, but not for long: then the next call, or the end of the process, empties it. PostgreSQL
        does as its VACUUM and its archives are set up to.
        """
        if self._engine.dialect.name == "sqlite":
            await self._pool.run(lambda: _truncate_journal(self._engine))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()


def _transact(engine: Engine, work: Callable[[Connection], T]) -> T:
    try:
        with engine.begin() as connection:
            return work(connection)
    except DBAPIError as exc:
        raise Unavailable("metadata", f"the metadata database failed: {_first_line(exc)}") from exc


def _truncate_journal(engine: Engine) -> None:
    connection = engine.raw_connection()  # outside of any transaction
    try:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_READERS_MS}")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout={_LOCK_S * 1000}")
        cursor.close()
    except sqlite3.Error as exc:
        raise Unavailable("metadata", f"the metadata database failed: {_first_line(exc)}") from exc
    finally:
        connection.close()
    if busy:
        _log.warning("the journal of the metadata database is being read, and still holds what was deleted")


def schema_level(url: str) -> str | None:
    """Return the migration that the database at `url` stands at; None where it is new."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return _level(connection)
    finally:
        engine.dispose()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    arguments = {"timeout": _LOCK_S, "check_same_thread": False}
    if make_url(url).database in (None, "", ":memory:"):  # one connection is one such database
        engine = create_engine(url, connect_args=arguments, poolclass=StaticPool)
    else:
        engine = create_engine(url, connect_args=arguments, pool_size=8)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_immediately)
    return engine


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # sqlite3's own transaction handling is switched off: SQLAlchemy says BEGIN itself, see _begin_immediately.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "secure_delete=ON",
        "cache_size=-65536",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediately(connection: Connection) -> None:
    # A transaction that reads first and writes later would fail with "database is locked" beside another writer.
    mode = "DEFERRED" if connection.get_execution_options().get("reads_only") else "IMMEDIATE"
    connection.exec_driver_sql(f"BEGIN {mode}")


def _migrate(connection: Connection) -> None:
    if _level(connection) == HEAD:
        return
    from alembic import command  # noqa: PLC0415  (0.2 s of import that an up-to-date database is spared)
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _level(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()


def _first_line(exc: Exception) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0]
