"""`ragstead up` as a process of the tests' own, with the keys that it is given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

COMMAND = [sys.executable, "-m", "ragstead_cli.main", "up", "--json", "--port", "0"]


def write_settings(file: Path, settings: Mapping[str, object], keys: Sequence[str] = ()) -> dict[str, str]:
    """Write a configuration that asks for `keys`; gives the environment that they are in."""
    names = [f"TEST_KEY_{i}" for i in range(len(keys))]
    deployment = {**settings.get("deployment", {}), "api_keys": [f"env:{name}" for name in names]}  # type: ignore[dict-item]
    file.write_text(yaml.safe_dump({**settings, "deployment": deployment}), "utf-8")
    return dict(zip(names, keys, strict=True))


@contextmanager
def running(
    folder: Path, settings: Mapping[str, object] | None = None, keys: Sequence[str] = ()
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run a platform on `folder / data`; give its process and URL, and kill it -9 at the end."""
    environ = write_settings(folder / "ragstead.yaml", settings or {}, keys)
    command = [*COMMAND, "--config", str(folder / "ragstead.yaml"), "--data-dir", str(folder / "data")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **environ})
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())["url"]
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
