"""Sets up what the tests need, torch first, and runs them; words go on to pytest: `make test ARGS='-k fusion'`."""

from __future__ import annotations

import sys

from setup_env import Stages, check_disk, check_venv_module, child_of, in_venv, main_of, prepare


def test() -> int:
    """Sets up if need be; the exit code of pytest."""
    stages = Stages(total=6)
    check_venv_module()
    if not stages.complete():
        check_disk()
    prepare(stages, torch=True, development=True)
    with child_of([in_venv("python"), "-m", "pytest", *sys.argv[1:]], environ={"HF_HUB_OFFLINE": "1"}) as child:
        return child.wait()


if __name__ == "__main__":
    main_of(test)
