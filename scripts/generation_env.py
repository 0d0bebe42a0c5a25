"""Makes vLLM's environment in `.generation`, which `ragstead serve generation` runs: `make generation`.

vLLM pins its own torch, FastAPI and more against the rest, so nothing of it enters the environment of the platform
(docs/decisions/0003). `cpu` or `gpu` says which build; without a word it is the one for GPUs where the machine has
NVIDIA's driver.
"""

from __future__ import annotations

import functools
import shutil
import sys
from pathlib import Path

from setup_env import (
    ROOT,
    TORCH,
    SetupFailed,
    Stages,
    check_disk,
    check_venv_module,
    install,
    install_locked,
    key_of,
    main_of,
    make_venv,
    say,
)

FOLDER = ROOT / ".generation"
DISK_BYTES = {"cpu": 5_000_000_000, "gpu": 30_000_000_000}


def kind_of(words: list[str]) -> str:
    """Which build is meant."""
    if not words:
        return "gpu" if shutil.which("nvidia-smi") else "cpu"
    if len(words) > 1 or words[0] not in DISK_BYTES:
        raise SetupFailed(f"{' '.join(words)!r} is no build of vLLM; there are cpu and gpu")
    return words[0]


def make_anew(folder: Path) -> None:
    """Makes an empty environment in the place of what was there: no build is installed over another."""
    shutil.rmtree(folder, ignore_errors=True)
    make_venv(folder)


def generation_env() -> int:
    """Makes the environment, or finds that there is nothing to do."""
    kind = kind_of(sys.argv[1:])
    lock = ROOT / "services" / "generation" / f"{kind}.lock"
    stages = Stages(3 if kind == "cpu" else 2, FOLDER)
    check_venv_module()
    if not stages.complete():
        check_disk(needed=DISK_BYTES[kind])
    key = key_of(str(FOLDER), sys.version, TORCH, lock)
    stages.run("environment", functools.partial(make_anew, FOLDER), key=key)
    if kind == "cpu":  # pip alone finds a CPU build; the other lock names the one with CUDA
        stages.run("torch", functools.partial(install, "--no-compile", TORCH, "-c", lock, venv=FOLDER), key=key)
    # little of it is ever imported: what is, is compiled by the first start, in a fraction of the time
    stages.run("dependencies", functools.partial(install_locked, lock, venv=FOLDER, compiled=False), key=key)
    say(f"vLLM for {kind.upper()}s is in {FOLDER}; start it with .venv/bin/ragstead serve generation --profile NAME")
    return 0


if __name__ == "__main__":
    main_of(generation_env)
