"""The migrations and the tables of the code say the same."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

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
