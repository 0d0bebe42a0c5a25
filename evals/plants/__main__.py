"""Holds every plant against the gate, and one release against itself: `python -m evals.plants [RERUNS]`.

Prints a line for each with what the gate named, and how often the same release passed; exits 1 where a plant passed or
a rerun did not.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from evals.plants import PLANTS, SUITE, written
from evals.plants.scripted_model import scripted_model
from ragstead.bootstrap.gate import GateRun, run_gate
from ragstead.bootstrap.gate_sides import Sides, gate_task
from ragstead.settings import load_settings

DEFAULTS = Path(__file__).parents[2] / "configs" / "ragstead.yaml"
RERUNS = 10


async def gated(candidate: Path, champion: Path) -> GateRun:
    """Return the gate's judgement over the whole suite."""
    task = await gate_task(load_settings(None), Sides(SUITE, str(candidate), str(champion)))
    return await run_gate(task, lambda _: None, lambda _: None)


async def main(reruns: int) -> int:
    """Run all of it; returns the exit code."""
    wrong = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with scripted_model() as port:
            for what, plant in PLANTS.items():
                champion = written(plant.champion, folder, port) if plant.champion else DEFAULTS
                run = await gated(written(plant.configuration, folder, port), champion)
                caught = plant.named in run.report.refused
                wrong += not caught
                named = ", ".join(run.report.refused)
                print(
                    f"{what:22} {'caught' if caught else 'MISSED'}  {named} ({run.heading.seconds:.0f} s)", flush=True
                )
    passed = 0
    for _ in range(reruns):
        run = await gated(DEFAULTS, DEFAULTS)
        passed += run.report.passed
        says = next(one.says for one in run.report.findings if one.name == "latency")
        verdict = "passed" if run.report.passed else f"REFUSED {', '.join(run.report.refused)}"
        print(f"{'the same release':22} {verdict}  latency {says} ({run.heading.seconds:.0f} s)", flush=True)
    print(f"{len(PLANTS) - wrong} of {len(PLANTS)} plants caught; {passed} of {reruns} reruns passed")
    return 1 if wrong or passed < reruns else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else RERUNS)))
