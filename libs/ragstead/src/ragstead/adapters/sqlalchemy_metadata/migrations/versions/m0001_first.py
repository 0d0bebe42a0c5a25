"""Collections, files, documents, attributes, versions and chunks."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create the first tables."""
    _collections_and_files()
    _documents()
    _versions()


def _collections_and_files() -> None:
    op.create_table(
        "collections",
        sa.Column("key", _Key, primary_key=True, autoincrement=True),
        sa.Column("collection_id", sa.String(64), nullable=False, unique=True),
        sa.Column("name", sa.String(128), unique=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("index_name", sa.String(64), nullable=False, unique=True),
        sa.Column("index_identity", sa.String(512), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("labels", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "files",
        sa.Column("key", _Key, primary_key=True, autoincrement=True),
        sa.Column("file_id", sa.String(64), nullable=False, unique=True),
        sa.Column("filename", sa.String(1024), nullable=False),
        sa.Column("purpose", sa.String(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("owned", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("key", _Key, primary_key=True, autoincrement=True),
        sa.Column("collection_key", _Key, sa.ForeignKey("collections.key"), nullable=False),
        sa.Column("document_id", sa.String(512), nullable=False),
        sa.Column("file_id", sa.String(64), nullable=False, index=True),
        sa.Column("filename", sa.String(1024), nullable=False),
        sa.Column("live_version", _Key),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("attributes", sa.JSON, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("collection_key", "document_id"),
        sa.Index("documents_by_live_version", "live_version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "attributes",
        sa.Column("document_key", _Key, sa.ForeignKey("documents.key"), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("text", sa.Text),
        sa.Column("number", sa.Float),
        sa.Index("attributes_by_text", "key", "text"),
        sa.Index("attributes_by_number", "key", "number"),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("key", _Key, primary_key=True, autoincrement=True),
        sa.Column("document_key", _Key, sa.ForeignKey("documents.key"), nullable=False, index=True),
        sa.Column("sha256", sa.String(64), nullable=False, index=True),
        sa.Column("size_bytes", sa.BigInteger, nullable=False),
        sa.Column("given_title", sa.Text, nullable=False),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("indexed_title", sa.Text, nullable=False),
        sa.Column("plain_text", sa.Boolean, nullable=False),
        sa.Column("recipe", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("dead", sa.Boolean, nullable=False, index=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("pages", sa.Integer),
        sa.Column("chunk_count", sa.Integer, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "chunks",
        sa.Column("key", _Key, primary_key=True, autoincrement=False),
        sa.Column("version_key", _Key, sa.ForeignKey("versions.key"), nullable=False, index=True),
        sa.Column("start", sa.Integer, nullable=False),
        sa.Column("end", sa.Integer, nullable=False),
        sa.Column("page", sa.Integer),
        sa.Column("heading_path", sa.JSON, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
    )
