import json
import os
import signal
import subprocess
import sys
import time

import pytest

from ragstead.adapters.directory_lock import DirectoryLock, read_owner
from ragstead.errors import ConfigurationError, StoreInUse

HOLD = """
import sys, time
from pathlib import Path
from ragstead.adapters.directory_lock import DirectoryLock
lock = DirectoryLock(Path(sys.argv[1]))
lock.acquire()
lock.publish("http://127.0.0.1:1")
print("held", flush=True)
time.sleep(60)
"""


def test_second_lock_is_refused_and_names_the_owner(tmp_path):
    first, second = DirectoryLock(tmp_path / "new" / "store"), DirectoryLock(tmp_path / "new" / "store")
    first.acquire()
    first.publish("http://127.0.0.1:8080")
    with pytest.raises(StoreInUse, match=rf"process {os.getpid()}, serving http://127.0.0.1:8080"):
        second.acquire()
    first.release()
    second.acquire()
    second.release()


def test_killed_owner_frees_the_directory_whatever_it_left(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        found = read_owner(tmp_path)
        assert found is not None
        assert (found.pid, found.address) == (owner.pid, "http://127.0.0.1:1")
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    assert json.loads((tmp_path / "lock").read_text())["address"]
    assert read_owner(tmp_path) is None
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    assert json.loads((tmp_path / "lock").read_text())["address"] is None
    lock.release()


def test_forked_child_does_not_keep_the_directory(tmp_path):
    lock = DirectoryLock(tmp_path)
    lock.acquire()
    child = os.fork()
    if child == 0:
        time.sleep(30)
        os._exit(0)
    try:
        time.sleep(0.05)
        lock.release()
        other = DirectoryLock(tmp_path)
        other.acquire()
        other.release()
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_directory_that_is_a_file_is_a_configuration_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--data-dir"):
        DirectoryLock(tmp_path / "file").acquire()


def test_nobody_owns_a_directory_that_is_not_there(tmp_path):
    assert read_owner(tmp_path / "none") is None


def test_publishing_without_holding_is_refused(tmp_path):
    with pytest.raises(StoreInUse):
        DirectoryLock(tmp_path).publish("http://127.0.0.1:1")
