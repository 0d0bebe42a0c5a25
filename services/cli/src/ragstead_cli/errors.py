"""What the API says that the library has no error for."""

from __future__ import annotations

from ragstead.errors import RagsteadError


class Missing(RagsteadError):
    """Raised where the API says that a named thing does not exist.

    Attributes:
        code: What it calls that: `trace_not_found`, say; empty where it does not.
    """

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Broken(RagsteadError):
    """Raised where the platform failed in a way of its own."""
