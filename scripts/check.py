"""Checks format, lint, types, architecture, dependencies and documentation, two at a time: `make check`."""

from __future__ import annotations

import concurrent.futures
import subprocess
import sys
import time

from setup_env import ROOT, Stages, check_disk, check_venv_module, in_venv, main_of, prepare, say

CHECKS = {  # the longest first, as they share the cores
    "types": ["mypy"],
    "architecture": ["pytest", "-q", "-p", "no:cacheprovider", "tests/architecture"],
    "arrows": ["lint-imports", "--no-cache"],
    "dependencies": ["deptry", "."],
    "documentation": ["mkdocs", "build", "--strict", "--quiet", "--site-dir", "build/site"],
    "lint": ["ruff", "check"],
    "format": ["ruff", "format", "--check"],
}
AT_ONCE = 2


def check_one(name: str) -> tuple[str, int, str, float]:
    """Runs one check: its name, exit code, output and seconds."""
    program, *words = CHECKS[name]
    began = time.monotonic()
    done = subprocess.run(
        [str(in_venv(program)), *words], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    return name, done.returncode, (done.stdout + done.stderr).strip(), time.monotonic() - began


def run_checks(names: list[str]) -> list[str]:
    """Runs the checks named and shows each as it ends; returns those that failed."""
    failed = []
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for ended in concurrent.futures.as_completed([pool.submit(check_one, name) for name in names]):
            name, status, output, seconds = ended.result()
            say(f"{'FAILED' if status else 'ok':7}{name}: {seconds:.1f} s")
            if status:
                failed.append(name)
                say(f"{output}\n")
    return failed


def check() -> int:
    """Sets up if need be and runs every check, or those named; 1 where one fails."""
    unknown = [name for name in sys.argv[1:] if name not in CHECKS]
    if unknown:
        say(f"no check named {unknown[0]!r}; there are: {', '.join(CHECKS)}")
        return 2
    stages = Stages(total=4)
    check_venv_module()
    if not stages.complete():
        check_disk()
    prepare(stages, development=True, model=False)
    failed = run_checks(sys.argv[1:] or list(CHECKS))
    say(f"{len(failed)} failed: {', '.join(failed)}" if failed else "every check passed")
    return 1 if failed else 0


if __name__ == "__main__":
    main_of(check)
