"""The file in the data directory that says which release is served, for the next start and for other processes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ragstead.errors import InvalidRequest, Unavailable
from ragstead.ports.registry import Ground, Provenance, Release, ServedRelease
from ragstead.ports.work_pool import WorkPool
from ragstead.releases import read_manifest

NAME = "release.json"
_FORMAT = 1


class ReleaseFile:
    """Reads and writes the file; a reader sees the old content or the new one, never half of it.

    Args:
        data_dir: Where it lies.
        pool: Where the blocking calls run.
    """

    def __init__(self, data_dir: Path, pool: WorkPool) -> None:
        self._path = data_dir / NAME
        self._pool = pool

    async def read(self) -> ServedRelease | None:
        """Return what it says; None where it is not there, or says nothing that this code reads."""
        return await self._pool.run(lambda: read_served(self._path.parent))

    async def write(self, served: ServedRelease) -> None:
        """Replace what it says.

        Raises:
            Unavailable: If the disk does not take it.
        """
        await self._pool.run(lambda: self._write(served))

    def _write(self, served: ServedRelease) -> None:
        document = {"format": _FORMAT, **asdict(served)}
        unfinished = self._path.with_suffix(".new")
        try:
            unfinished.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
            unfinished.replace(self._path)
        except OSError as error:
            raise Unavailable("data_dir", f"{self._path} can't be written: {error.strerror}") from error


def read_served(data_dir: Path) -> ServedRelease | None:
    """Return what the platform on `data_dir` serves, or served last; None where that is not told."""
    try:
        document = json.loads((data_dir / NAME).read_text("utf-8"))
        if document["format"] != _FORMAT:
            return None
        ground = Ground(**document["ground"])
        return ServedRelease(document["live"], document["configured"], ground, _release(document["champion"]))
    except (OSError, ValueError, KeyError, TypeError, InvalidRequest):
        return None  # not there, or damaged: as if nothing had been served yet


def _release(kept: Mapping[str, Any] | None) -> Release | None:
    if kept is None:
        return None
    return read_manifest(json.dumps(kept["manifest"]), kept["release_id"], Provenance(**kept["provenance"]))
