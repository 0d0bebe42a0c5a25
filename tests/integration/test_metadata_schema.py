"""The migrations and the tables of the code say the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from ragstead.adapters.sqlalchemy_metadata import HEAD, Database, schema_level
from ragstead.adapters.sqlalchemy_metadata.schema import metadata
from ragstead.testing.fakes import InlinePool


def test_a_migrated_database_has_the_tables_of_the_code(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'metadata.db'}"
    Database(url, InlinePool()).close()
    assert schema_level(url) == HEAD
    with create_engine(url).connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_new_database_has_no_level(tmp_path: Path) -> None:
    assert schema_level(f"sqlite:///{tmp_path / 'metadata.db'}") is None


def test_a_database_of_the_first_level_is_brought_up_and_keeps_its_rows(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'metadata.db'}"
    Database(url, InlinePool()).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE conversation_turns"))
        connection.execute(text("DROP TABLE conversations"))
        connection.execute(text("ALTER TABLE chunks DROP COLUMN page_breaks"))
        connection.execute(text("ALTER TABLE chunks DROP COLUMN injection"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        connection.execute(
            text(
                "INSERT INTO collections "
                "(collection_id, name, version, index_name, index_identity, created_at, labels) "
                "VALUES ('vs_1', 'kept', 0, 'ix', 'identity', 0, '{}')"
            )
        )
    Database(url, InlinePool()).close()
    assert schema_level(url) == HEAD
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(text("SELECT name FROM collections")).scalar_one() == "kept"
    engine.dispose()
