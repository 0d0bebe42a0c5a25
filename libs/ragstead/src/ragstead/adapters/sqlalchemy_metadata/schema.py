"""The tables. The metadata database is the truth; vectors and BM25 are derived from it."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

HEAD = "0004"
"""Migration that this code needs; `migrations/versions` ends with it."""

metadata = MetaData()

_Key = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts rows up in INTEGER columns alone

collections = Table(
    "collections",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=True),
    Column("collection_id", String(64), nullable=False, unique=True),
    Column("name", String(128), unique=True),  # null once it is being deleted: its name is free
    Column("version", Integer, nullable=False, default=0),
    Column("index_name", String(64), nullable=False, unique=True),
    Column("index_identity", String(512), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("labels", JSON, nullable=False),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=True),
    Column("file_id", String(64), nullable=False, unique=True),
    Column("filename", String(1024), nullable=False),
    Column("purpose", String(64), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("sha256", String(64), nullable=False, index=True),
    Column("created_at", BigInteger, nullable=False),
    Column("owned", Boolean, nullable=False),  # true where it was made for one document and goes with it
    sqlite_autoincrement=True,
)

documents = Table(
    "documents",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=True),
    Column("collection_key", _Key, ForeignKey("collections.key"), nullable=False),
    Column("document_id", String(512), nullable=False),
    Column("file_id", String(64), nullable=False, index=True),
    Column("filename", String(1024), nullable=False),
    Column("live_version", _Key),  # null: not to be found
    Column("state", String(16), nullable=False),
    Column("reason", Text),
    Column("attributes", JSON, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    UniqueConstraint("collection_key", "document_id"),
    Index("documents_by_live_version", "live_version"),
    sqlite_autoincrement=True,
)

attributes = Table(
    "attributes",
    metadata,
    Column("document_key", _Key, ForeignKey("documents.key"), primary_key=True),
    Column("key", String(64), primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("text", Text),
    Column("number", Float),
    Index("attributes_by_text", "key", "text"),
    Index("attributes_by_number", "key", "number"),
)

versions = Table(
    "versions",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=True),
    Column("document_key", _Key, ForeignKey("documents.key"), nullable=False, index=True),
    Column("sha256", String(64), nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("given_title", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("indexed_title", Text, nullable=False, default=""),
    Column("plain_text", Boolean, nullable=False),
    Column("recipe", String(64), nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("dead", Boolean, nullable=False, index=True),
    Column("text", Text, nullable=False, default=""),
    Column("pages", Integer),
    Column("chunk_count", Integer, nullable=False, default=0),
    sqlite_autoincrement=True,
)

chunks = Table(
    "chunks",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=False),
    Column("version_key", _Key, ForeignKey("versions.key"), nullable=False, index=True),
    Column("start", Integer, nullable=False),
    Column("end", Integer, nullable=False),
    Column("page", Integer),
    Column("heading_path", JSON, nullable=False),
    Column("text", Text, nullable=False),
    Column("page_breaks", JSON(none_as_null=True)),
    Column("injection", Float),
)

conversations = Table(
    "conversations",
    metadata,
    Column("key", _Key, primary_key=True, autoincrement=True),
    Column("conversation_id", String(64), nullable=False, unique=True),
    Column("owner", String(64), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("turns", Integer, nullable=False),
    Column("summary", Text, nullable=False),
    Column("summarised", Integer, nullable=False),  # number of the last turn that the summary covers
    Column("collections", JSON, nullable=False),  # ids of those that its answers were made from
    sqlite_autoincrement=True,
)

conversation_turns = Table(
    "conversation_turns",
    metadata,
    Column("conversation_key", _Key, ForeignKey("conversations.key"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("role", String(16), nullable=False),
    Column("content", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("answer", JSON(none_as_null=True)),  # of the assistant's turns
)
