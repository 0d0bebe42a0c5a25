"""The commit that this code is from, where it runs from a checkout."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PATIENCE_S = 5.0


def commit_of(file: Path) -> str | None:
    """Return the commit that is checked out around a file, with `+` where files were changed since.

    None where git is not installed, or does not keep the file: an installed package may lie inside somebody else's
    repository.
    """
    folder = file.parent
    try:
        if _git(folder, "ls-files", "--error-unmatch", file.name) is None:
            return None
        commit = _git(folder, "rev-parse", "HEAD")
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if commit is None else commit + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str | None:
    done = subprocess.run(  # noqa: S603 - fixed words
        ["git", "-C", str(folder), *words],  # noqa: S607 - the git that the user has
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    return done.stdout.strip() if done.returncode == 0 else None
