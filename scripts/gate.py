"""Sets everything up and holds the configuration against the results kept in the repository: `make gate`."""

from __future__ import annotations

import sys

from setup_env import Stages, child_of, in_venv, main_of, prepare

SUITE = "evals/handbook.yaml"
KEPT = "evals/baseline/handbook.json"


def gate() -> int:
    """Sets up if need be and runs the gate over the handbook; words behind it are passed on; 3 where it says no."""
    prepare(Stages(total=4))
    with child_of([in_venv("ragstead"), "eval", "gate", "--suite", SUITE, "--champion", KEPT, *sys.argv[1:]]) as child:
        return child.wait()


if __name__ == "__main__":
    main_of(gate)
