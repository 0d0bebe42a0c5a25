"""Files and folders that people name, as the documents they stand for."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragstead.errors import InvalidRequest
from ragstead.surrogates import without_surrogates


@dataclass(frozen=True, slots=True)
class Source:
    """A file to hand in.

    Attributes:
        path: The path as given, or joined to the folder given.
    """

    path: Path

    @property
    def filename(self) -> str:
        """Its name, without the folders it lies in."""
        return readable(self.path.name)

    @property
    def document_id(self) -> str:
        """`<name>-<8 hex>`, the same for the same absolute path."""
        absolute = Path(os.path.abspath(self.path)).as_posix()  # noqa: PTH100 - resolve() would follow links
        return f"{self.filename}-{hashlib.sha256(os.fsencode(absolute)).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Failure:
    """Something that was not handed in, or not indexed.

    Attributes:
        path: The file, or `file:line`.
        reason: Why, in one line.
    """

    path: str
    reason: str


def find_sources(paths: Sequence[Path]) -> Iterator[Source | Failure]:
    """Yield the files named, and those in the folders named, in the order of their names; each file once.

    Hidden files and folders are passed over below a folder. A link is followed where it is named itself, or leads to
    a file inside the folder named; one that leads out is a failure, and so is what can't be read.

    Raises:
        InvalidRequest: If a path named does not exist; before anything is yielded.
    """
    for path in paths:
        if not os.path.lexists(path):
            raise InvalidRequest(f"no file or folder {str(path)!r}; check the path", param="PATH")
    return _each_once(paths)


def readable(name: str) -> str:
    """Return a file name as text; bytes that are no UTF-8 become question marks."""
    return without_surrogates(name)


def _each_once(paths: Sequence[Path]) -> Iterator[Source | Failure]:
    seen: set[str] = set()
    for path in paths:
        for found in _below(path, path.resolve()) if path.is_dir() else (_named(path),):
            key = found.path if isinstance(found, Failure) else found.document_id
            if key not in seen:
                seen.add(key)
                yield found


def _below(folder: Path, root: Path) -> Iterator[Source | Failure]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield Failure(readable(str(folder)), f"the folder can't be read: {error.strerror}")
        return
    for entry in entries:
        if not entry.name.startswith("."):
            yield from _entry(folder / entry.name, root, is_link=entry.is_symlink())


def _entry(path: Path, root: Path, *, is_link: bool) -> Iterator[Source | Failure]:
    if is_link and not path.exists():
        yield Failure(readable(str(path)), "the link leads nowhere")
    elif is_link and not path.resolve().is_relative_to(root):
        yield Failure(readable(str(path)), "the link leads out of the folder; name its target itself")
    elif not path.is_dir():
        yield _named(path)
    elif not is_link:  # what a link to an inner folder shows is found in its own place
        yield from _below(path, root)


def _named(path: Path) -> Source | Failure:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return Failure(readable(str(path)), f"it can't be read: {error.strerror}")
    if not stat.S_ISREG(mode):
        return Failure(readable(str(path)), "it is no regular file")
    return Source(path)
