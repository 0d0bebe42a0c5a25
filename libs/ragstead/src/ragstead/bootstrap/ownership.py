"""Ownership of a data directory, for the programs that compose a platform."""

from __future__ import annotations

from ragstead.adapters.directory_lock import DirectoryLock, Owner, read_owner

__all__ = ["DirectoryLock", "Owner", "read_owner"]
