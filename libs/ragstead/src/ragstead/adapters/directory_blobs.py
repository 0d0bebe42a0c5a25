"""The original bytes in a local directory, under their sha256."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ragstead.errors import NotFound, Unavailable
from ragstead.ports.work_pool import WorkPool

_ASIDE = ".unfinished-"
_BLOBS_A_TURN = 16
"""Blobs that are written as one piece of work: the way to a thread and back takes as long as a small one."""


class DirectoryBlobs:
    """Is the `BlobStore` port for one owner: a file a blob in 256 folders, written aside and put in place.

    Args:
        directory: Where the blobs lie; made where it is not there.
        pool: Where the blocking calls run.
    """

    def __init__(self, directory: Path, pool: WorkPool) -> None:
        self._directory = directory
        self._pool = pool
        directory.mkdir(parents=True, exist_ok=True)
        for unfinished in directory.glob(f"??/{_ASIDE}*"):  # a killed process was writing them
            unfinished.unlink()

    async def put(self, data: bytes) -> str:
        """Store the bytes durably and return their sha256."""
        return await self._pool.run(lambda: self._write(data))

    async def put_many(self, blobs: Sequence[bytes]) -> list[str]:
        """Store them durably and return the sha256 of each."""
        turns = [blobs[i : i + _BLOBS_A_TURN] for i in range(0, len(blobs), _BLOBS_A_TURN)]
        written = await asyncio.gather(*(self._pool.run(partial(self._written, turn)) for turn in turns))
        return [sha256 for some in written for sha256 in some]

    def path(self, sha256: str) -> Path:
        """Return the file that holds the blob."""
        path = self._place(sha256)
        if not path.is_file():
            raise NotFound("blob", sha256)
        return path

    async def stored(self) -> set[str]:
        """Return the sha256 of every blob."""
        return await self._pool.run(lambda: {path.name for path in self._directory.glob("??/*")})

    async def delete(self, sha256: str) -> None:
        """Remove the blob."""
        await self._pool.run(lambda: self._place(sha256).unlink(missing_ok=True))

    def _place(self, sha256: str) -> Path:
        return self._directory / sha256[:2] / sha256

    def _written(self, blobs: Sequence[bytes]) -> list[str]:
        return [self._write(data) for data in blobs]

    def _write(self, data: bytes) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        path = self._place(sha256)
        if path.is_file():
            return sha256
        try:
            path.parent.mkdir(exist_ok=True)
            _write_aside(path, data)
        except OSError as exc:
            raise Unavailable(
                "blobs", f"{len(data)} bytes can't be stored under {path.parent}: {exc.strerror}"
            ) from exc
        return sha256


def _write_aside(path: Path, data: bytes) -> None:
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=_ASIDE)
    try:
        with os.fdopen(handle, "wb") as out:
            out.write(data)
            out.flush()
            os.fsync(out.fileno())
        Path(aside).replace(path)
    except BaseException:
        Path(aside).unlink(missing_ok=True)
        raise
