"""One owner for a data directory: an advisory lock on `<data_dir>/lock` that dies with its process."""

from __future__ import annotations

import fcntl
import json
import os
import time
import weakref
from dataclasses import asdict, dataclass
from pathlib import Path

from ragstead.errors import ConfigurationError, StoreInUse

_FILE_NAME = "lock"
_ATTEMPTS = 5
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Owner:
    """Who holds a data directory.

    Attributes:
        pid: Its process id; 0 where the lock is held but its content can't be read yet.
        address: `http://host:port` where it serves the API, or None where it does not serve.
        started_at: Unix seconds at which it took the directory.
    """

    pid: int
    address: str | None
    started_at: float

    def __str__(self) -> str:
        who = f"process {self.pid}" if self.pid else "another process"
        return f"{who}, serving {self.address}" if self.address else who


class DirectoryLock:
    """Owns `data_dir` from `acquire` to `release`, or to the end of the process however it ends.

    The kernel frees the lock with the process, so content left by a killed one is harmless. A forked child
    gives its copy of the descriptor back at once: an orphan never keeps its parent's directory.
    """

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._descriptor: int | None = None
        self._started_at = 0.0
        _locks.add(self)

    def acquire(self) -> None:
        """Take the directory, making it where it is missing; without an address until `publish` gives one.

        Raises:
            StoreInUse: If another process, or another lock of this one, holds it; the message names it.
            ConfigurationError: If the directory can't be made or written.
        """
        if self._descriptor is not None:
            return
        descriptor = _open(self._data_dir)
        for attempt in range(_ATTEMPTS):
            if _try_lock(descriptor):
                self._descriptor, self._started_at = descriptor, time.time()
                self._write(None)
                return
            if attempt + 1 < _ATTEMPTS:
                time.sleep(_PAUSE_S)  # `read_owner` holds it for an instant: that is no owner
        owner = _read(descriptor)
        os.close(descriptor)
        raise StoreInUse(
            f"data directory {self._data_dir} is in use by {owner}; stop that one, or give another with --data-dir"
        )

    def publish(self, address: str) -> None:
        """Write the address under which the API is served, for the commands that find the directory taken.

        Raises:
            StoreInUse: If this lock does not hold the directory.
        """
        if self._descriptor is None:
            raise StoreInUse(f"data directory {self._data_dir} is not held by this process; acquire it first")
        self._write(address)

    def release(self) -> None:
        """Give the directory back; nothing happens where it is not held."""
        if self._descriptor is None:
            return
        descriptor, self._descriptor = self._descriptor, None
        os.ftruncate(descriptor, 0)
        os.close(descriptor)

    def _write(self, address: str | None) -> None:
        assert self._descriptor is not None
        content = json.dumps(asdict(Owner(os.getpid(), address, self._started_at))).encode()
        os.pwrite(self._descriptor, content, 0)
        os.ftruncate(self._descriptor, len(content))

    def _forget_in_child(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def read_owner(data_dir: Path) -> Owner | None:
    """Return who holds `data_dir` now; None where nobody does, whatever a killed owner left in the file."""
    try:
        descriptor = os.open(data_dir / _FILE_NAME, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return None if _try_lock(descriptor, fcntl.LOCK_SH) else _read(descriptor)
    finally:
        os.close(descriptor)


def _open(data_dir: Path) -> int:
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        return os.open(data_dir / _FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise ConfigurationError(
            f"data directory {data_dir} can't be written: {exc.strerror}; give another with --data-dir"
        ) from exc


def _try_lock(descriptor: int, kind: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _read(descriptor: int) -> Owner:
    try:
        content = json.loads(os.pread(descriptor, 4096, 0))
        return Owner(int(content["pid"]), content["address"], float(content["started_at"]))
    except (ValueError, KeyError, TypeError):
        return Owner(0, None, 0.0)  # its owner is between taking and writing


_locks: weakref.WeakSet[DirectoryLock] = weakref.WeakSet()


def _forget_all_in_child() -> None:
    for lock in list(_locks):
        lock._forget_in_child()  # noqa: SLF001 - the class and this hook are one thing


os.register_at_fork(after_in_child=_forget_all_in_child)
