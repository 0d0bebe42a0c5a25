"""Records as lines of JSON in a file that starts anew when it is full."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from ragstead.errors import Unavailable
from ragstead.ports.shadow_log import Comparison
from ragstead.ports.work_pool import WorkPool


class JsonLinesShadowLog:
    """Is a `ShadowLog` in a file; when it is full it becomes `NAME.1`, in the place of the one before it.

    Args:
        path: The file; made with its first line, readable for its owner alone, as questions stand in it.
        max_bytes: Of one file; twice as much is kept at most.
        pool: Where it is written, one line at a time.
    """

    def __init__(self, path: Path, max_bytes: int, pool: WorkPool) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._pool = pool

    async def add(self, comparison: Comparison) -> None:
        """Write one line, whole or not at all.

        Raises:
            Unavailable: If the disk is full, or the file can't be written.
        """
        fields = {**asdict(comparison), "at": comparison.at.isoformat(timespec="milliseconds")}
        line = json.dumps(fields).encode() + b"\n"  # ASCII, so a lone surrogate is no trouble
        await self._pool.run(lambda: self._append(line))

    def _append(self, line: bytes) -> None:
        try:
            if self._path.exists() and self._path.stat().st_size + len(line) > self._max_bytes:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
            self._path.touch(mode=0o600)
            with self._path.open("ab", buffering=0) as file:
                file.write(line)
        except OSError as error:
            raise Unavailable("shadow", f"can't write {self._path}: {error.strerror or error}") from error
