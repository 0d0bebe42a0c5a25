"""The file of routing rules, checked as it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ragstead.errors import ConfigurationError
from ragstead.routing.schedule import Schedule, first_gap, parse_hours, parse_weekdays

Percent = Annotated[float, Field(gt=0, le=100)]
_PARAM = "deployment.generation.routing"
_WHOLE = 100
_ROUNDING = 1e-6


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class When(_Section):
    """When a rule holds: all that is given must."""

    hours: str | None = None
    """`08:00-18:00`; over midnight it belongs to the day on which it begins."""
    weekdays: tuple[str, ...] = ()
    """`mon` to `sun`, and spans: `mon-fri`."""
    month_days: tuple[int, ...] = ()
    """From 1; the last day is -1, the one before it -2."""
    running: Mapping[str, Annotated[int, Field(ge=1)]] = {}
    """By model: so many answers or more are being written by it in this process."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.model_fields_set or not (self.hours or self.weekdays or self.month_days or self.running):
            raise ValueError("says nothing; leave `when` out for a rule that always holds")
        if any(not 1 <= abs(day) <= 31 for day in self.month_days):
            raise ValueError(f"month_days {list(self.month_days)}: days go from 1 to 31, and from -1 back to -31")
        _ = self.schedule  # refuses what is no time
        return self

    @property
    def schedule(self) -> Schedule:
        """The times of it."""
        return Schedule(
            parse_hours(self.hours) if self.hours else None,
            parse_weekdays(self.weekdays) if self.weekdays else None,
            frozenset(self.month_days) or None,
        )


class ShadowRule(_Section):
    """A second model that gets a copy."""

    model: str
    percent: Percent = 100
    """Of the questions that the rule is for."""


class Rule(_Section):
    """Which models answer, and when."""

    name: str = Field(min_length=1)
    """Stands in receipts and metrics; a share is drawn by it, so another name deals anew."""
    when: When | None = None
    """Left out: always."""
    use: Mapping[str, Percent]
    """Percentages by model; one name is written as it is. Of two, the first keeps its conversations when it grows."""
    shadow: ShadowRule | None = None

    @field_validator("use", mode="before")
    @classmethod
    def _whole(cls, use: object) -> object:
        return {use: float(_WHOLE)} if isinstance(use, str) else use

    @field_validator("use")
    @classmethod
    def _adds_up(cls, use: Mapping[str, float]) -> Mapping[str, float]:
        if abs(sum(use.values()) - _WHOLE) > _ROUNDING:
            raise ValueError(f"the percentages add up to {sum(use.values()):g}, not to 100")
        return use


class RoutingRules(_Section):
    """The first rule that holds decides."""

    time_zone: str = "UTC"
    """A name of the IANA database: `Europe/Berlin`."""
    rules: tuple[Rule, ...] = Field(min_length=1)

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"there is no time zone {name!r}; name one as Europe/Berlin") from error
        return name

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [rule.name for rule in self.rules]
        for i, rule in enumerate(self.rules):
            if rule.name in names[:i]:
                raise ValueError(f"two rules are called {rule.name!r}")
            if rule.when is None and i < len(names) - 1:
                raise ValueError(f"rule {rule.name!r} always holds, so {names[i + 1]!r} never would; put it last")
        if self.rules[-1].when is not None:
            gap = first_gap([rule.when.schedule for rule in self.rules if rule.when and not rule.when.running])
            if gap is not None:
                when = f"on {gap:%A} the {gap.day}. at {gap:%H:%M}"
                raise ValueError(f"no rule is sure to hold {when}; end with a rule without `when`")
        return self

    @property
    def models(self) -> Sequence[str]:
        """Every model that a rule names."""
        named = [(*rule.use, *((rule.shadow.model,) if rule.shadow else ())) for rule in self.rules]
        running = [tuple(rule.when.running) for rule in self.rules if rule.when]
        return list(dict.fromkeys(name for names in (*named, *running) for name in names))


def read_rules(path: Path) -> RoutingRules:
    """Return the rules in a YAML file.

    Raises:
        ConfigurationError: If it can't be read, or a rule is off; the message says which and why.
    """
    try:
        return RoutingRules.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {' '.join(str(error).split())}", param=_PARAM) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        what = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(f"{path}: {where + ': ' if where else ''}{what}", param=_PARAM) from error
