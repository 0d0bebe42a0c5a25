"""The Milvus Lite server: a program beside this process that keeps a database in one file.

It is started here and not by the `milvus_lite` package, which waits half a second at each start, imports
`pkg_resources`, and can leave two servers on one file when a killed process is started again at once: a
server ends itself soon after its parent's file lock is gone, but a new parent that takes the lock before it
looks keeps it alive. So the server also inherits a second lock (`flock`, shared through the open file),
which is free only when parent and server are both gone; the next start waits for it. A `kill -9` leaves no
process behind.
"""

from __future__ import annotations

import fcntl
import importlib.util
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO

from ragstead.errors import StoreInUse, Unavailable

_MAX_SOCKET_PATH = 100
_POLL_S = 0.005


class MilvusLiteProcess:
    """Runs one Milvus Lite server for one database file, until `close` or the end of this process.

    Attributes:
        uri: Where a Milvus client reaches it: a Unix socket that only this user can open.
    """

    def __init__(self, database: Path, *, timeout_s: float = 20.0) -> None:
        """Start the server and return when it takes connections (about 0.15 s).

        Args:
            database: The file; its folder must exist. Letters, digits, `.`, `-`, `_`; at most 36 characters.
            timeout_s: How long to wait for an earlier owner to end, and for the server to come up.

        Raises:
            StoreInUse: If another process keeps the file open.
            Unavailable: If the server does not come up; the message ends with its last words.
        """
        self._resources = ExitStack()
        self._log = database.with_name(f".{database.name}.log")
        try:
            owned = self._hold(database.with_name(f".{database.name}.owner"), fcntl.flock, timeout_s)
            watched = self._hold(database.with_name(f".{database.name}.lock"), fcntl.lockf, timeout_s)
            address = self._socket_path(database)
            self.uri = f"unix:{address}"
            self._process = self._start(database, Path(watched.name), owned.fileno())
            self._resources.callback(self._stop)
            self._await_socket(address, timeout_s)
        except BaseException:
            self._resources.close()
            raise

    def is_running(self) -> bool:
        """True while the server lives."""
        return self._process.poll() is None

    def close(self) -> None:
        """End the server and free the file; what was written stays. A second call does nothing."""
        self._resources.close()

    def _hold(self, path: Path, lock: Callable[[IO[str], int], None], timeout_s: float) -> IO[str]:
        deadline = time.monotonic() + timeout_s
        try:
            file = self._resources.enter_context(path.open("a"))
        except OSError as error:
            raise Unavailable("vectors", f"can't write {path}: {error}") from error
        while True:
            try:
                lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > deadline:
                    raise StoreInUse(f"another process has {path} open; stop it first") from error
                time.sleep(_POLL_S)
            else:
                return file

    def _socket_path(self, database: Path) -> Path:
        """Choose a path beside the database, or in a private temporary folder if that is too long."""
        address = database.absolute().with_name(f".{database.name}.sock")
        if len(bytes(address)) > _MAX_SOCKET_PATH:
            folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="ragstead-milvus-"))
            address = Path(folder) / "s"
        address.unlink(missing_ok=True)
        self._resources.callback(address.unlink, missing_ok=True)
        return address

    def _start(self, database: Path, watched: Path, owned_fd: int) -> subprocess.Popen[bytes]:
        """Start the program in a session of its own, so that Ctrl-C at a terminal leaves it to `close`."""
        libraries = _program_folder()
        home = str(database.absolute().parent)  # the program ends at once without one
        command = [
            str(libraries / "milvus"),
            str(database.absolute()),
            self.uri,
            "ERROR",
            str(watched.absolute()),
        ]
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the program comes with the milvus-lite package
                command,
                cwd=home,
                env={"HOME": home, "LD_LIBRARY_PATH": str(libraries), "DYLD_LIBRARY_PATH": str(libraries)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(owned_fd,),
                start_new_session=True,
            )

    def _await_socket(self, address: Path, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not _answers(address):
            if not self.is_running() or time.monotonic() > deadline:
                words = self._log.read_text(errors="replace").strip()[-300:]
                raise Unavailable("vectors", f"Milvus Lite did not start; its last words: {words!r}")
            time.sleep(_POLL_S)

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _answers(address: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, suppress(OSError):
        probe.connect(str(address))
        return True
    return False


def _program_folder() -> Path:
    """Find the program without importing its package."""
    spec = importlib.util.find_spec("milvus_lite")
    if spec is None or spec.origin is None:
        raise Unavailable("vectors", "Milvus Lite is not installed: pip install 'milvus-lite==2.5.1'")
    return Path(spec.origin).parent / "lib"
