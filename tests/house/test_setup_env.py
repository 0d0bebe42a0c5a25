"""The set-up is resumable, says what is missing, and leaves no child behind."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import setup_env
import up
from setup_env import SetupFailed, Stages

SCRIPTS = Path(setup_env.__file__).parent


def alive(pid: int) -> bool:
    """Says whether a process runs; one that has ended and is not yet reaped does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.mark.parametrize("version", [(3, 10), (3, 14), (2, 7)])
def test_python_outside_the_range_is_refused_and_a_usable_one_is_named(version: tuple[int, int]) -> None:
    with pytest.raises(SetupFailed, match=r"PYTHON=python3\.12"):
        setup_env.check_python(version, found=lambda name: name if name == "python3.12" else None)


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
def test_python_inside_the_range_is_accepted(version: tuple[int, int]) -> None:
    setup_env.check_python(version)


def test_disk_that_is_too_small_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(SetupFailed, match=r"GB free and set-up needs \d+ GB"):
        setup_env.check_disk(tmp_path, needed=10**18)


def test_stage_that_completed_with_the_same_key_is_not_run_again(tmp_path: Path) -> None:
    runs: list[str] = []
    for key in ("a", "a", "b"):
        Stages(1, tmp_path).run("dependencies", lambda key=key: runs.append(key), key=key)
    assert runs == ["a", "b"]


def test_stage_that_was_interrupted_is_run_again(tmp_path: Path) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    runs: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        Stages(1, tmp_path).run("package", interrupted, key="k")
    assert Stages(1, tmp_path).run("package", lambda: runs.append("again"), key="k")
    assert runs == ["again"]


def test_key_changes_with_a_files_content(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    lock.write_text("a==1\n")
    before = setup_env.key_of(lock)
    lock.write_text("a==2\n")
    assert setup_env.key_of(lock) != before


@pytest.mark.slow
def test_environment_that_was_left_half_made_is_made_anew(tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / ".unfinished").touch()
    (venv / "bin" / "rubbish").touch()
    setup_env.make_venv(venv)
    assert setup_env.works(venv)
    assert not (venv / "bin" / "rubbish").exists()
    assert not (venv / ".unfinished").exists()
    kept = venv / "kept"
    kept.touch()
    setup_env.make_venv(venv)
    assert kept.exists()


def test_environment_whose_python_is_gone_does_not_work(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not setup_env.works(tmp_path)


def test_command_that_fails_shows_its_last_lines_and_its_exit_code() -> None:
    with pytest.raises(SetupFailed, match=r"no such wheel\nexit 3 from: "):
        setup_env.call([sys.executable, "-c", "print('no such wheel'); raise SystemExit(3)"])


def test_port_that_is_taken_is_refused_with_the_way_to_its_holder_and_round_it() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(SetupFailed, match=rf"lsof -nP -iTCP:{port} .*make up PORT={port + 10}"):
            up.check_ports(port)


def test_port_where_no_ragstead_answers_is_not_taken_for_one() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        assert up.ready(probe.getsockname()[1]) is None


STUBBORN = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
GRANDPARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {STUBBORN!r}])"
TARGET = textwrap.dedent(
    f"""
    import sys
    import setup_env
    setup_env.STOP_GRACE_S = 0.5
    def target():
        with setup_env.child_of([sys.executable, "-c", {GRANDPARENT!r}]) as child:
            print(child.pid, flush=True)
            return child.wait()
    setup_env.main_of(target)
    """
)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_every_child_even_one_that_ignores_it_and_exits_130(number: signal.Signals) -> None:
    environ = {**os.environ, "PYTHONPATH": str(SCRIPTS)}
    with subprocess.Popen(
        [sys.executable, "-c", TARGET],
        env=environ,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),  # noqa: PLW1509  (nohup ignores one of them)
    ) as script:
        assert script.stdout
        group = 0
        while True:
            line = script.stdout.readline()
            group = int(line) if line.strip().isdigit() else group
            if line.strip() == "up":
                break
        script.send_signal(number)
        rest = script.stdout.read()
    assert script.returncode == setup_env.INTERRUPTED
    assert "the same command goes on from here" in rest
    deadline = time.monotonic() + 5
    while alive_in_group(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert alive_in_group(group) == []


def alive_in_group(group: int) -> list[int]:
    """The processes of a group that run."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
    rows = [tuple(map(int, line.split())) for line in listed.splitlines()]
    return [pid for pid, owner in rows if owner == group and alive(pid)]


@pytest.mark.parametrize("script", sorted(path.name for path in SCRIPTS.glob("*.py")))
def test_script_imports_the_standard_library_alone(script: str) -> None:
    text = (SCRIPTS / script).read_text(encoding="utf-8")
    names = re.findall(r"^\s*(?:from|import) (\w+)", text, flags=re.MULTILINE)
    ours = {path.stem for path in SCRIPTS.glob("*.py")}
    assert set(names) - set(sys.stdlib_module_names) - ours == set()


def test_every_target_of_the_makefile_explains_itself() -> None:
    makefile = (SCRIPTS.parent / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):(.*)$", makefile, flags=re.MULTILINE)
    assert [name for name, rest in targets if "## " not in rest] == []
    assert len(targets) >= 6
