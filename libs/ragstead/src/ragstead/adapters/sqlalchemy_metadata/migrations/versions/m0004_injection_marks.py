"""How probable it is that instructions for a model were put into a chunk."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; chunks from before have none, and are looked at when they are found."""
    op.add_column("chunks", sa.Column("injection", sa.Float, nullable=True))
