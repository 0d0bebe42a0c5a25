"""Finds out what a gate's candidate and champion are: a configuration, kept results, or a release."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ragstead.bootstrap.answer_judging import judging_plan
from ragstead.bootstrap.blueprints import settings_of
from ragstead.bootstrap.gate import GateTask
from ragstead.bootstrap.gate_questions import Contender, Questions, RankedQuestions, SuiteQuestions
from ragstead.errors import InvalidRequest, NotFound
from ragstead.evaluation.kept_results import KeptResults, read_results
from ragstead.evaluation.ranked_queries import RankedSet
from ragstead.evaluation.rules import GateRules, read_rules
from ragstead.evaluation.suites import read_suite, sampled
from ragstead.pipelines.judge_answers import JudgingPlan
from ragstead.ports.registry import CHAMPION, Registry, Release
from ragstead.settings import Settings, load_settings

IN_FORCE = "the configuration in force"


@dataclass(frozen=True, slots=True)
class Sides:
    """What the gate was asked.

    Attributes:
        suite: The suite's file, or the folder of the queries.
        candidate: A configuration's file or a release; None for the configuration in force.
        champion: The same, or a file of kept results; None for what is live, or kept beside the suite.
        rules: A file of rules; None for the defaults.
        sample: How many of the questions; None for all.
        opinions: In which respects a judge is asked beside those of the rules.
        ranked: The queries of the folder; None where it is a suite.
    """

    suite: Path
    candidate: str | None = None
    champion: str | None = None
    rules: Path | None = None
    sample: int | None = None
    opinions: tuple[str, ...] = ()
    ranked: RankedSet | None = None


async def gate_task(settings: Settings, sides: Sides, registry: Registry | None = None) -> GateTask:
    """Return what is to be judged.

    Args:
        settings: Those in force.
        sides: What was asked.
        registry: Where releases are found; None where none is kept.

    Raises:
        InvalidRequest: If a file is off, or a judge is asked about queries that nobody answers.
        ConfigurationError: If a judge is asked for, and none can be had.
        NotFound: If there is nothing to hold the candidate against, or no such release.
    """
    rules = read_rules(sides.rules).asking(sides.opinions)
    questions, plan = _asked(settings, sides, rules)
    candidate = (
        Contender(IN_FORCE, settings) if sides.candidate is None else await _side(settings, sides.candidate, registry)
    )
    champion = await _champion(settings, sides, registry)
    return GateTask(questions, candidate, champion, rules, settings, plan)


def baseline_of(suite: Path) -> Path:
    """Return where the results that a suite's candidates are held against are kept."""
    return suite.parent / "baseline" / f"{suite.name if suite.is_dir() else suite.stem}.json"


def _asked(settings: Settings, sides: Sides, rules: GateRules) -> tuple[Questions, JudgingPlan | None]:
    """Return what is asked, and how a judge is asked about the answers."""
    if sides.ranked is not None:
        if sides.opinions:
            raise InvalidRequest("queries are searched, not answered: there is nothing to judge", param="--judge")
        return RankedQuestions(sides.ranked.sampled(sides.sample)), None
    suite = sampled(read_suite(sides.suite), sides.sample)
    plan = judging_plan(settings, rules.opinions, may_leave=suite.egress == "allow") if rules.opinions else None
    return SuiteQuestions(suite, sides.suite, judged=plan is not None), plan


async def _champion(settings: Settings, sides: Sides, registry: Registry | None) -> Contender | KeptResults:
    if sides.champion is not None:
        if sides.champion.endswith(".json"):
            return read_results(Path(sides.champion))
        return await _side(settings, sides.champion, registry)
    if registry is not None:
        with suppress(NotFound):
            return _released(settings, (await registry.find(CHAMPION)).release)
    kept = baseline_of(sides.suite)
    if kept.is_file():
        return read_results(kept)
    raise NotFound(
        "champion",
        str(sides.suite),
        f"name one with --champion, or keep results with `ragstead eval run {sides.suite} --fresh --keep {kept}`",
    )


async def _side(settings: Settings, named: str, registry: Registry | None) -> Contender:
    path = Path(named)
    if path.suffix in {".yaml", ".yml"}:
        return Contender(path.name, load_settings(path))
    if registry is None:
        raise NotFound(
            "release", named, "no releases are kept here; name a configuration (.yaml) or kept results (.json)"
        )
    return _released(settings, (await registry.find(named)).release)


def _released(settings: Settings, release: Release) -> Contender:
    return Contender(release.release_id, settings_of(release, settings), release)
