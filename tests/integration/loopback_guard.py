"""Written into a process as its `sitecustomize`: what it wants to reach beyond loopback is refused and written down."""

from __future__ import annotations

from pathlib import Path

_CODE = """
import pathlib, socket

def refusing(real):
    def call(self, address, *rest):
        host = address[0] if isinstance(address, tuple) else str(address)
        if isinstance(address, tuple) and host not in ("127.0.0.1", "::1", "localhost", "0.0.0.0"):
            with pathlib.Path({log!r}).open("a") as log:
                log.write("connect " + repr(address) + chr(10))
            raise OSError("no way out of this test")
        return real(self, address, *rest)
    return call

def resolving(host, *rest, **more):
    if host not in (None, "", "127.0.0.1", "::1", "localhost", "0.0.0.0", b"127.0.0.1", b"localhost"):
        with pathlib.Path({log!r}).open("a") as log:
            log.write("resolve " + repr(host) + chr(10))
        raise socket.gaierror("no way out of this test")
    return real_resolve(host, *rest, **more)

real_resolve = socket.getaddrinfo
socket.getaddrinfo = resolving
socket.socket.connect = refusing(socket.socket.connect)
socket.socket.connect_ex = refusing(socket.socket.connect_ex)
"""


def guard(folder: Path) -> tuple[str, Path]:
    """Return a folder for PYTHONPATH, and the file that names every attempt."""
    log = folder / "attempts.txt"
    log.touch()
    (folder / "sitecustomize.py").write_text(_CODE.format(log=str(log)))
    return str(folder), log
