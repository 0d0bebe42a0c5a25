"""What the API says that the library has no error for."""

from __future__ import annotations

from ragstead.errors import RagsteadError


class Missing(RagsteadError):
    """Raised where the API says that a named thing does not exist."""


class Broken(RagsteadError):
    """Raised where the platform failed in a way of its own."""
