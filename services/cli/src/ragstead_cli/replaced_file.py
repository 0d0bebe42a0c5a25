"""Output files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ragstead.errors import InvalidRequest


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[TextIO]:
    """Give a text file that becomes `path` when the block ends; on an error `path` stays as it was.

    A device or a pipe (`/dev/stdout`) is written to as it is.

    Raises:
        InvalidRequest: If it can't be made there.
    """
    if path.exists() and not path.is_file():
        with _opened(path) as file:
            yield file
        return
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    try:
        with _opened(draft) as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="\n")
    except OSError as exc:
        raise _unwritable(path, exc) from exc


def _unwritable(path: Path, exc: OSError) -> InvalidRequest:
    return InvalidRequest(f"{str(path)!r} can't be written: {exc.strerror}; check its folder")
