"""Asks the package index whether every locked base dependency has a wheel for each Python and machine promised.

A manual tool, as it needs the network: `.venv/bin/python scripts/check_wheels.py`. Other locks can be named.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from setup_env import ROOT, in_venv, main_of, say

PATCHES = {"3.11": "3.11.9", "3.12": "3.12.9", "3.13": "3.13.2"}  # some wheels ask for more than the first of a line
GLIBC = range(34, 16, -1)  # manylinux tags from Ubuntu 22.04's and Debian 12's glibc downwards
MACHINES = {
    "Linux x86-64": (*(f"manylinux_2_{n}_x86_64" for n in GLIBC), "manylinux2014_x86_64", "linux_x86_64"),
    "Linux arm64": (*(f"manylinux_2_{n}_aarch64" for n in GLIBC), "manylinux2014_aarch64", "linux_aarch64"),
    "macOS arm64": (
        *(f"macosx_{n}_0_{kind}" for n in range(14, 10, -1) for kind in ("arm64", "universal2")),
        *(f"macosx_10_{n}_universal2" for n in range(16, 8, -1)),
    ),
}
MARKERS = {
    "Linux x86-64": {"sys_platform": "linux", "platform_machine": "x86_64"},
    "Linux arm64": {"sys_platform": "linux", "platform_machine": "aarch64"},
    "macOS arm64": {"sys_platform": "darwin", "platform_machine": "arm64"},
}


def lines_for(lock: Path, python: str, machine: str) -> list[str]:
    """The lock's requirements whose markers hold on a machine; without them, as pip would judge them by this one."""
    question = (
        "import json, sys; from packaging.requirements import Requirement as R\n"
        "env = json.loads(sys.argv[2])\n"
        "for line in open(sys.argv[1]):\n"
        "    line = line.split('#')[0].strip()\n"
        "    if line and ((r := R(line)).marker is None or r.marker.evaluate(env)): print(f'{r.name}{r.specifier}')\n"
    )
    env = {**MARKERS[machine], "python_version": python, "python_full_version": PATCHES[python]}
    done = subprocess.run(
        [str(in_venv("python")), "-c", question, str(lock), json.dumps(env)], capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def missing(lock: Path, python: str, machine: str) -> str:
    """What pip says of a wheel it can't find; empty where all are there."""
    # pip judges Requires-Python by the Python that runs it; uv judged it for every Python when it wrote the lock
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.txt"
        wanted.write_text("\n".join(lines_for(lock, python, machine)))
        platforms = [word for tag in MACHINES[machine] for word in ("--platform", tag)]
        done = subprocess.run(
            [str(in_venv("python")), "-m", "pip", "install", "--dry-run", "--ignore-installed", "--no-deps", "--quiet",
             "--ignore-requires-python", "--implementation", "cp",
             "--only-binary=:all:", "--target", f"{folder}/none", "--python-version", PATCHES[python],
             *platforms, "-r", str(wanted)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return " ".join(errors) or done.stderr if done.returncode else ""


def check_wheels() -> int:
    """Prints one line for each Python and machine; 1 where a wheel is missing."""
    locks = [ROOT / name for name in sys.argv[1:] or ["requirements.lock", "requirements-model.txt"]]
    bad = 0
    for lock in locks:
        for python in PATCHES:
            for machine in MACHINES:
                problem = missing(lock, python, machine)
                bad += bool(problem)
                say(f"{'MISSING' if problem else 'ok':8}{lock.name} Python {python} {machine} {problem}")
    return 1 if bad else 0


if __name__ == "__main__":
    main_of(check_wheels)
