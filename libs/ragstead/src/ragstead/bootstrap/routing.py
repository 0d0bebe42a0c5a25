"""Who answers which question: the rules of the configured file, bound to a clock and to the models there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from ragstead.adapters.json_lines import JsonLinesShadowLog
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import ConfigurationError
from ragstead.pipelines.route import Candidates, RoutePlan
from ragstead.pipelines.shadow import Shadow
from ragstead.ports.generator import GenerationRequest
from ragstead.routing import RoutingRules, choose, read_rules
from ragstead.settings import Settings

EXTRACTIVE = "extractive"
SHADOW_LOG = "shadow.jsonl"


@dataclass(frozen=True, slots=True)
class Routing:
    """What the configuration says of who answers.

    Attributes:
        names: Every model that may be asked, the configured one first; the extractive generator is none of them.
        plan: Orders them for a question; None: always as they stand.
        copies: Whether a rule wants shadow copies.
    """

    names: Sequence[str]
    plan: RoutePlan | None = None
    copies: bool = False


def open_routing(settings: Settings) -> Routing:
    """Return who may answer, and in which order.

    Raises:
        ConfigurationError: If the file of rules is off, a model is not described, or the extractive generator has
            fallbacks.
    """
    answer, path = settings.pipeline.answer, settings.deployment.generation.routing
    configured = [name for name in dict.fromkeys([answer.generator, *answer.fallbacks]) if name != EXTRACTIVE]
    check_described(settings, configured, "pipeline.answer")
    if path is None:
        if answer.generator == EXTRACTIVE and configured:
            raise ConfigurationError(
                f"the extractive generator needs no fallbacks: {', '.join(configured)}",
                param="pipeline.answer.fallbacks",
            )
        return Routing(configured)
    rules = read_rules(path)
    asked = [name for name in rules.models if name != EXTRACTIVE]
    check_described(settings, asked, "deployment.generation.routing")
    names = [name for name in dict.fromkeys([*configured, *rules.models]) if name != EXTRACTIVE]
    return Routing(names, plan_of(rules, configured), any(rule.shadow for rule in rules.rules))


def plan_of(rules: RoutingRules, fallbacks: Sequence[str]) -> RoutePlan:
    """Return the plan of the rules on the clock of their time zone: the chosen model, the fallbacks, the extractive."""
    zone = ZoneInfo(rules.time_zone)

    def plan(request: GenerationRequest, running: Mapping[str, int]) -> Candidates:
        choice = choose(rules, datetime.now(zone), request.affinity or request.question, running)
        names = tuple(dict.fromkeys([choice.model, *fallbacks, EXTRACTIVE]))
        return Candidates(names, f"rule: {choice.rule}", choice.rule, choice.shadow)

    return plan


def open_shadow(settings: Settings, stack: AsyncExitStack) -> Shadow:
    """Return what sends copies; it is stopped when `stack` is closed."""
    generation = settings.deployment.generation
    pool = ThreadWorkPool(1)
    stack.callback(pool.close)
    log = JsonLinesShadowLog(settings.deployment.data_dir / SHADOW_LOG, generation.shadow_log_bytes, pool)
    shadow = Shadow(log, generation.shadows)
    stack.push_async_callback(shadow.close)
    return shadow


def check_described(settings: Settings, names: Sequence[str], param: str) -> None:
    """Refuse names of models that nobody described.

    Args:
        settings: Describe them.
        names: None of them the extractive generator's.
        param: The setting that names them.

    Raises:
        ConfigurationError: Then, naming `param`.
    """
    models = settings.deployment.generation.models
    for name in names:
        if name not in models:
            known = ", ".join([EXTRACTIVE, *models])
            raise ConfigurationError(
                f"{name!r} is none of {known}; describe it in deployment.generation.models", param=param
            )
