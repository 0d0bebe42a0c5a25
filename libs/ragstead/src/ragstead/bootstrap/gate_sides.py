"""Finds out what a gate's candidate and champion are: a configuration, kept results, or a release."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ragstead.bootstrap.gate import Contender, GateTask
from ragstead.errors import InvalidRequest, NotFound
from ragstead.evaluation.kept_results import KeptResults, read_results
from ragstead.evaluation.rules import read_rules
from ragstead.evaluation.suites import read_suite, sampled
from ragstead.settings import Settings, load_settings

IN_FORCE = "the configuration in force"


@dataclass(frozen=True, slots=True)
class Sides:
    """What the gate was asked.

    Attributes:
        suite: The suite's file.
        candidate: A configuration's file or a release; None for the configuration in force.
        champion: The same, or a file of kept results; None for what is live, or kept beside the suite.
        rules: A file of rules; None for the defaults.
        sample: How many of the questions; None for all.
    """

    suite: Path
    candidate: str | None = None
    champion: str | None = None
    rules: Path | None = None
    sample: int | None = None


async def gate_task(settings: Settings, sides: Sides) -> GateTask:
    """Return what is to be judged.

    Args:
        settings: Those in force.
        sides: What was asked.

    Raises:
        InvalidRequest: If a file is off.
        NotFound: If there is nothing to hold the candidate against, or no such release.
    """
    suite = sampled(read_suite(sides.suite), sides.sample)
    rules = read_rules(sides.rules)
    candidate = Contender(IN_FORCE, settings) if sides.candidate is None else _pipeline(sides.candidate)
    return GateTask(suite, sides.suite, candidate, _champion(sides), rules)


def baseline_of(suite: Path) -> Path:
    """Return where the results that a suite's candidates are held against are kept."""
    return suite.parent / "baseline" / f"{suite.stem}.json"


def _champion(sides: Sides) -> Contender | KeptResults:
    if sides.champion is not None:
        if sides.champion.endswith(".json"):
            return read_results(Path(sides.champion))
        return _pipeline(sides.champion)
    kept = baseline_of(sides.suite)
    if kept.is_file():
        return read_results(kept)
    raise NotFound(
        "champion",
        str(sides.suite),
        f"name one with --champion, or keep results with `ragstead eval run {sides.suite} --fresh --keep {kept}`",
    )


def _pipeline(named: str) -> Contender:
    path = Path(named)
    if path.suffix in {".yaml", ".yml"}:
        return Contender(path.name, load_settings(path))
    raise InvalidRequest(f"{named!r} is neither a configuration (.yaml) nor kept results (.json)", param="--candidate")
