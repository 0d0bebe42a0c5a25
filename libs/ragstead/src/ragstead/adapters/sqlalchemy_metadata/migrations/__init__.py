"""How the schema came to be; alembic runs these."""
