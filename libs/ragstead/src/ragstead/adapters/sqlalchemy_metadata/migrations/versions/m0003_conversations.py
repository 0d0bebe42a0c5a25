"""Conversations and their turns."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_Key = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "conversations",
        sa.Column("key", _Key, primary_key=True, autoincrement=True),
        sa.Column("conversation_id", sa.String(64), nullable=False, unique=True),
        sa.Column("owner", sa.String(64), nullable=False, index=True),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("turns", sa.Integer, nullable=False),
        sa.Column("summary", sa.Text, nullable=False),
        sa.Column("summarised", sa.Integer, nullable=False),
        sa.Column("collections", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "conversation_turns",
        sa.Column("conversation_key", _Key, sa.ForeignKey("conversations.key"), primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("answer", sa.JSON(none_as_null=True)),
    )
