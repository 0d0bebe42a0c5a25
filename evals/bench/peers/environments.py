"""Makes the environment of each peer, with its own lock, under `.peers/` at the root of the repository.

torch goes first and by pip alone, which finds a CPU build; then the lock, as it is. A stamp of the lock's hash makes a
second run take no time. What can't be made is `Absent`, with the reason: it is listed, never beaten.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from evals.bench.product import ROOT, note

HERE = Path(__file__).parent
PEERS = ROOT / ".peers"
TORCH = "torch==2.13.0"  # as in scripts/setup_env.py; a test holds them together
NO_TORCH = "# no torch"
"""The first line of the `.in` of a peer that has none."""
_SECRETIVE = re.compile(r"\S*[/\\]\S*")
"""A path or an address, which is not for a page that others read."""


class Absent(Exception):
    """Raised where a peer can't be run here; its words are the reason, fit for the page."""


def reason(output: str) -> str:
    """The last line that names an exception, else an error of pip's, else the last line; short, without paths."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    exceptions = [line for line in lines if re.match(r"(\w+\.)*\w*(Error|Exception)\b", line)]
    errors = [line for line in lines if line.startswith("ERROR:")]
    last = (exceptions or errors or lines or ["it said nothing"])[-1]
    return re.sub(r"\s*\|\s*", " ", _SECRETIVE.sub("…", last))[:200]


def python_of(environment: str) -> Path:
    """The Python of an environment."""
    return PEERS / environment / "bin" / "python"


def make(environment: str) -> None:
    """Makes the environment that `{environment}.lock` describes, or leaves a complete one alone.

    Raises:
        Absent: If a step fails; what there is of it is removed.
    """
    lock = HERE / f"{environment}.lock"
    key = hashlib.sha256(b"\0".join([TORCH.encode(), sys.version.encode(), lock.read_bytes()])).hexdigest()
    folder = PEERS / environment
    stamp = folder / ".lock-sha256"
    if stamp.is_file() and stamp.read_text("utf-8") == key and python_of(environment).exists():
        return
    note(f"making the environment of {environment} ...")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(exist_ok=True)
    install = [str(python_of(environment)), "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "-q"]
    try:
        call([sys.executable, "-m", "venv", str(folder)])
        if not lock.with_suffix(".in").read_text("utf-8").startswith(NO_TORCH):
            call([*install, TORCH, "-c", str(lock)])
        call([*install, "--no-deps", "--only-binary=:all:", "-r", str(lock)])
        refuse_cuda(environment)
    except Absent:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    stamp.write_text(key, "utf-8")


def refuse_cuda(environment: str) -> None:
    """Raises Absent where torch came as a build for GPUs, which would be gigabytes and another peer."""
    heavy = sorted(path.name for path in (PEERS / environment).glob("lib/python*/site-packages/nvidia*"))
    if heavy:
        raise Absent(f"pip found no CPU build of {TORCH} here")


def call(command: list[str], *, environ: Mapping[str, str] | None = None) -> None:
    """Runs a step quietly, with variables beside those of this process.

    Raises:
        Absent: If it fails.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
    )
    if done.returncode:
        note(f"{done.stdout}\n{done.stderr}"[-4_000:])
        raise Absent(reason(f"{done.stdout}\n{done.stderr}"))


def version_in(environment: str, package: str) -> str:
    """The version that the environment's lock holds of a package.

    Raises:
        LookupError: If it holds none.
    """
    for line in (HERE / f"{environment}.lock").read_text("utf-8").splitlines():
        name, _, rest = line.partition("==")
        if name == package:
            return rest.split()[0]
    raise LookupError(f"{environment}.lock holds no {package}")
