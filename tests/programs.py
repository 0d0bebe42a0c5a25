"""Programs that tests run and that a machine may lack."""

from __future__ import annotations

import os
import shutil
import socket

import pytest


def needed(program: str) -> str:
    """The program's path; without it the test is skipped, or fails where RAGSTEAD_REQUIRE_SERVICES is 1."""
    # Debian keeps nginx where users' paths do not lead
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        what = f"{program} is not installed"
        if os.environ.get("RAGSTEAD_REQUIRE_SERVICES") == "1":
            pytest.fail(what)
        pytest.skip(what)
    return found


def free_port() -> int:
    """A port of loopback that nobody holds."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
