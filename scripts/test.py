"""Sets up what the tests need, torch first, and runs them; words go on to pytest: `make test ARGS='-k fusion'`."""

from __future__ import annotations

import sys

from setup_env import Stages, check_disk, check_venv_module, child_of, in_venv, main_of, prepare

AT_ONCE = ["-n", "2", "--dist", "loadfile"]  # half the time on two cores; words of the caller's run as they are


def test() -> int:
    """Sets up if need be; the exit code of pytest."""
    stages = Stages(total=6)
    check_venv_module()
    if not stages.complete():
        check_disk()
    prepare(stages, torch=True, development=True)
    words = sys.argv[1:] or AT_ONCE
    with child_of([in_venv("python"), "-m", "pytest", *words], environ={"HF_HUB_OFFLINE": "1"}) as child:
        return child.wait()


if __name__ == "__main__":
    main_of(test)
