"""Writes the lock files from pyproject.toml: `make lock`; `--upgrade` takes the newest versions.

`requirements.lock` is what `make up` installs; the others are what the checks and tests add, held to the same versions.
torch is in none of them: pip finds the build that fits the machine (`TORCH` in setup_env.py). Each peer of a benchmark
has a lock of its own, from the `.in` beside it and from what torch asks for; so has vLLM, for CPUs. Its lock for GPUs
is whole, as vLLM names the one build of torch that it runs with.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from setup_env import ROOT, SetupFailed, Stages, call, check_venv_module, in_venv, install, main_of, prepare, say

PEERS = "evals/bench/peers"
TORCH_NEEDS = f"{PEERS}/torch-needs.in"
NO_TORCH = (
    "# no torch"  # first line of the `.in` of a peer that has none; evals/bench/peers/environments.py reads it too
)

NOT_FREE = 'litellm-enterprise ; python_version < "3"\n'  # a peer's part under a licence of its own, and not needed
GENERATION = "services/generation"
NOT_ON_CPUS = ("torchvision", "torchaudio", "torchcodec", "triton")
"""What vLLM's build for CPUs asks for and does without: their builds need CUDA, and are gigabytes."""


def header(source: str) -> str:
    """The first line of a lock."""
    return f"# Written by `make lock` from {source}: exact versions for Python 3.11 to 3.13 on Linux and macOS.\n"


def compile_lock(uv: str | Path, lock: str, *words: str, upgrade: bool, source: str = "pyproject.toml") -> None:
    """Resolves into one lock file, keeping the versions that it has unless asked to upgrade."""
    target = ROOT / lock
    call(
        [uv, "pip", "compile", "--universal", "--python-version", "3.11", "--no-header", "--no-annotate", "--quiet",
         "--no-emit-index-url", "--output-file", target, *words, *(["--upgrade"] if upgrade else [])]
    )  # fmt: skip
    first = header(source)
    target.write_text(first + target.read_text().replace(first, ""))
    say(f"{lock}: {sum('==' in line for line in target.read_text().splitlines())} packages")


def find_uv() -> str | Path:
    """The uv on the path, or one installed into the environment."""
    found = shutil.which("uv")
    if found:
        return found
    check_venv_module()
    prepare(Stages(total=3), model=False)
    install("uv")
    return in_venv("uv")


def lock() -> int:
    """Writes the three locks, those of the peers, and vLLM's two."""
    unknown = [word for word in sys.argv[1:] if word != "--upgrade"]
    if unknown:
        raise SetupFailed(f"{unknown[0]} is no option of this script; there is --upgrade")
    upgrade = "--upgrade" in sys.argv
    uv = find_uv()
    base = ["--constraint", "requirements.lock"]
    groups = [word for group in ("check", "test", "docs") for word in ("--group", group)]
    compile_lock(uv, "requirements.lock", "pyproject.toml", upgrade=upgrade)
    compile_lock(uv, "requirements-dev.lock", *groups, *base, upgrade=upgrade)
    with tempfile.TemporaryDirectory() as folder:
        without_torch = Path(folder) / "overrides.txt"
        without_torch.write_text('torch ; python_version < "3"\n' + NOT_FREE)
        words = ["pyproject.toml", "--extra", "torch", "--override", str(without_torch), *base]
        compile_lock(uv, "requirements-torch.lock", *words, "--constraint", "requirements-dev.lock", upgrade=upgrade)
        for path in sorted((ROOT / PEERS).glob("*.in")):
            source = f"{PEERS}/{path.name}"
            if source != TORCH_NEEDS:
                asks = [] if path.read_text().startswith(NO_TORCH) else [TORCH_NEEDS]
                words = [source, *asks, "--override", str(without_torch)]
                compile_lock(uv, source.replace(".in", ".lock"), *words, upgrade=upgrade, source=path.name)
        lock_generation(uv, without_torch, upgrade=upgrade)
    return 0


def lock_generation(uv: str | Path, without: Path, *, upgrade: bool) -> None:
    """Writes vLLM's two locks; `without` is the file of overrides, which is added to."""
    with without.open("a") as file:
        file.writelines(f'{name} ; python_version < "3"\n' for name in NOT_ON_CPUS)
    cpu, gpu = (f"{GENERATION}/{kind}" for kind in ("cpu", "gpu"))
    words = [f"{cpu}.in", TORCH_NEEDS, "--override", str(without)]
    compile_lock(uv, f"{cpu}.lock", *words, upgrade=upgrade, source="cpu.in")
    compile_lock(uv, f"{gpu}.lock", f"{gpu}.in", upgrade=upgrade, source="gpu.in")


if __name__ == "__main__":
    main_of(lock)
