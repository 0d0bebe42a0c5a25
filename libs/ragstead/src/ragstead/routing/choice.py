"""Which model a question goes to, by the rules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from ragstead.routing.rules import RoutingRules, Rule, When


@dataclass(frozen=True, slots=True)
class Choice:
    """What the rules say of one question.

    Attributes:
        rule: The name of the rule that held.
        model: Which model is asked first.
        shadow: Which one gets a copy, if any does.
    """

    rule: str
    model: str
    shadow: str | None = None


def choose(rules: RoutingRules, at: datetime, key: str, running: Mapping[str, int]) -> Choice:
    """Return the choice for one question; the same for the same key while the same rule holds.

    Args:
        rules: The first that holds decides; one of them always does.
        at: Now, on the wall clock of the rules' time zone.
        key: Stands for the conversation: a share is dealt by it.
        running: Answers that are being written now, by model.
    """
    rule = next(rule for rule in rules.rules if rule.when is None or _holds(rule.when, at, running))
    shadow = rule.shadow
    copied = shadow is not None and draw(f"{rule.name} shadow", key) < shadow.percent
    return Choice(rule.name, _dealt(rule, key), shadow.model if shadow is not None and copied else None)


def draw(name: str, key: str) -> float:
    """Return a number in [0, 100) that is evenly spread over keys, and always the same for one."""
    digest = hashlib.sha256(f"{name}\0{key}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48) * 100


def _holds(when: When, at: datetime, running: Mapping[str, int]) -> bool:
    return when.schedule.holds(at) and all(running.get(model, 0) >= least for model, least in when.running.items())


def _dealt(rule: Rule, key: str) -> str:
    place, end, model = draw(rule.name, key), 0.0, ""
    for model, share in rule.use.items():
        end += share
        if place < end:
            return model
    return model
