"""Rules for which model answers: by share, by schedule, by load."""

from ragstead.routing.choice import Choice, choose
from ragstead.routing.rules import RoutingRules, Rule, read_rules

__all__ = ["Choice", "RoutingRules", "Rule", "choose", "read_rules"]
