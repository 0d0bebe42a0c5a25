"""The metadata database over SQLAlchemy: SQLite embedded, PostgreSQL beyond one machine."""

from ragstead.adapters.sqlalchemy_metadata.catalog import SqlCollections, SqlDocuments, SqlFiles
from ragstead.adapters.sqlalchemy_metadata.conversations import SqlConversations, SqlConversationTurns
from ragstead.adapters.sqlalchemy_metadata.database import Database, schema_level
from ragstead.adapters.sqlalchemy_metadata.intake import SqlIntake
from ragstead.adapters.sqlalchemy_metadata.ledger import SqlLedger
from ragstead.adapters.sqlalchemy_metadata.live_chunks import SqlLiveChunks
from ragstead.adapters.sqlalchemy_metadata.schema import HEAD
from ragstead.adapters.sqlalchemy_metadata.truth import SqlIndexTruth, SqlSweeping

__all__ = [
    "HEAD",
    "Database",
    "SqlCollections",
    "SqlConversationTurns",
    "SqlConversations",
    "SqlDocuments",
    "SqlFiles",
    "SqlIndexTruth",
    "SqlIntake",
    "SqlLedger",
    "SqlLiveChunks",
    "SqlSweeping",
    "schema_level",
]
