"""What the gate blocks on, and by how much a release may be worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from ragstead.errors import InvalidRequest
from ragstead.evaluation.measures import MEASURES, measures_of


class _Rule(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MeasureRule(_Rule):
    """How one measure is judged."""

    margin: float = Field(0.0, ge=0)
    """By how much it may be worse, in its own unit, and still pass."""
    blocks: bool = True
    """False: a regression is told and stops nothing."""


class LatencyRule(_Rule):
    """How much slower a release may be."""

    ratio: float | None = Field(1.5, gt=1)
    """Of the candidate's time to the champion's on the same question, the median; null: not judged."""
    p95_ms: float | None = Field(None, gt=0)
    """Milliseconds that 95 of 100 questions must stay under, on the machine of the gate; null: not judged."""
    at_least_ms: float = Field(2.0, ge=0)
    """Milliseconds by which the median must be slower too: doublings of next to nothing are no regression."""


DEFAULT_MEASURES: Mapping[str, MeasureRule] = {
    "answers_contained": MeasureRule(margin=0.01),
    "sources_cited": MeasureRule(margin=0.01),
    "citation_precision": MeasureRule(margin=0.02),
    "citation_recall": MeasureRule(margin=0.01),
    "refusal_precision": MeasureRule(margin=0.03),
    "refusal_recall": MeasureRule(margin=0.03),
    "groundedness": MeasureRule(margin=0.02),
    "citations_fabricated": MeasureRule(margin=0.0),
    "ndcg@10": MeasureRule(margin=0.005),
    "recall@10": MeasureRule(margin=0.01),
    "recall@100": MeasureRule(margin=0.01),
    "mrr@10": MeasureRule(margin=0.01),
    "hit@1": MeasureRule(margin=0.02, blocks=False),
    "answers_cited": MeasureRule(margin=0.01),
    "exact_match": MeasureRule(margin=0.01, blocks=False),
    "token_f1": MeasureRule(margin=0.01, blocks=False),
    "words_per_answer": MeasureRule(margin=5, blocks=False),
    "cost_usd": MeasureRule(margin=0.0005, blocks=False),
}
"""What is judged where no rules are given."""
OPINION_RULE = MeasureRule(margin=0.05, blocks=False)
"""Of a judge's opinions, as far as the rules say nothing else: they advise."""


class GateRules(_Rule):
    """How the gate judges; what is not given stands as it is here."""

    confidence: float = Field(0.95, gt=0, lt=1)
    """Of the intervals. Higher: fewer false alarms, and more questions needed to catch a small regression."""
    resamples: int = Field(4000, ge=2000)
    seed: int = Field(5, ge=0)
    measures: Mapping[str, MeasureRule] = Field(DEFAULT_MEASURES, validate_default=True)
    """By name; those given come beside those of the defaults, or in place of one."""
    min_judged: float = Field(0.8, gt=0, le=1)
    """Share of a side's answers that a judge has to have given an opinion on, for the opinion to count."""
    latency: LatencyRule = LatencyRule()

    @property
    def opinions(self) -> tuple[str, ...]:
        """Those of the measures that a model judges."""
        return tuple(name for name in self.measures if name in measures_of("opinion"))

    def asking(self, opinions: Sequence[str]) -> GateRules:
        """Return the rules with further opinions, which advise where they say nothing of them."""
        return self.model_copy(update={"measures": {**dict.fromkeys(opinions, OPINION_RULE), **self.measures}})

    @field_validator("measures", mode="after")
    @classmethod
    def _known(cls, given: Mapping[str, MeasureRule]) -> Mapping[str, MeasureRule]:
        strange = next((name for name in given if name not in MEASURES), None)
        if "citations_valid" in given:
            raise ValueError("'citations_valid' needs no rule: a broken citation always blocks")
        if strange is not None:
            raise ValueError(f"{strange!r} is none of {', '.join(MEASURES)}")
        return {**DEFAULT_MEASURES, **{name: _completed(name, rule) for name, rule in given.items()}}


def _completed(name: str, rule: MeasureRule) -> MeasureRule:
    """Return a rule with what it leaves out taken from the rule of opinions, where it is one of an opinion."""
    if name not in measures_of("opinion"):
        return rule
    return OPINION_RULE.model_copy(update={field: getattr(rule, field) for field in rule.model_fields_set})


def read_rules(path: Path | None) -> GateRules:
    """Return the rules of a YAML file; the defaults where `path` is None.

    Raises:
        InvalidRequest: If the file can't be read, or has a field or measure that is unknown or off.
    """
    if path is None:
        return GateRules()
    try:
        return GateRules.model_validate(yaml.safe_load(path.read_text("utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as exc:
        raise InvalidRequest(f"{path} can't be read: {' '.join(str(exc).split())}") from exc
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidRequest(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from exc
