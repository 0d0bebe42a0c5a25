"""Where within a chunk further pages begin, so that a quote is cited with the page that it stands on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; chunks from before have none, and their quotes the page that the chunk begins on."""
    op.add_column("chunks", sa.Column("page_breaks", sa.JSON(none_as_null=True), nullable=True))
