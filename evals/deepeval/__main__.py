"""Runs the suite with DeepEval's own runner, which reports to nobody and leaves no files: `python -m evals.deepeval`.

Words behind it are passed on to `deepeval test run`.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from ragstead.bootstrap.judging import quiet_deepeval

HERE = Path(__file__).parent


def main() -> int:
    """Return the runner's exit code."""
    with tempfile.TemporaryDirectory() as folder:
        quiet_deepeval(Path(folder))
        runner = Path(sys.executable).with_name("deepeval")
        return subprocess.run([runner, "test", "run", HERE / "test_handbook.py", *sys.argv[1:]], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
