"""Rules for which model answers: shares, schedules with their gaps, load."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.errors import ConfigurationError
from ragstead.routing import RoutingRules, choose, read_rules
from ragstead.routing.schedule import Schedule, first_gap, parse_hours, parse_weekdays

ROOT = Path(__file__).parents[2]
MONDAY_NOON = datetime.fromisoformat("2026-11-23 12:00")
KEYS = [f"conversation {i}" for i in range(4000)]


def rules(*given: dict[str, object], **more: object) -> RoutingRules:
    return RoutingRules.model_validate({"rules": given, **more})


def refusal(tmp_path: Path, text: str) -> str:
    path = tmp_path / "routing.yaml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_rules(path)
    assert caught.value.param == "deployment.generation.routing"
    return str(caught.value)


def models(given: RoutingRules, at: datetime = MONDAY_NOON, **running: int) -> dict[str, str]:
    return {key: choose(given, at, key, running).model for key in KEYS}


def test_shares_are_those_that_were_asked_for() -> None:
    counted = Counter(models(rules({"name": "split", "use": {"new": 10, "old": 90}})).values())
    assert counted["new"] / len(KEYS) == pytest.approx(0.10, abs=0.02)
    assert counted["new"] + counted["old"] == len(KEYS)


def test_growing_share_keeps_those_that_it_had() -> None:
    steps = [models(rules({"name": "split", "use": {"new": share, "old": 100 - share}})) for share in (10, 50, 99.5)]
    for before, after in itertools.pairwise(steps):
        moved = {key for key in KEYS if before[key] != after[key]}
        assert {before[key] for key in moved} == {"old"}
    assert set(models(rules({"name": "split", "use": {"new": 100}})).values()) == {"new"}


def test_one_conversation_stays_with_one_model() -> None:
    split = rules({"name": "split", "use": {"new": 50, "old": 50}})
    assert len({choose(split, MONDAY_NOON, "the same", {}).model for _ in range(20)}) == 1


def test_another_rule_deals_anew() -> None:
    first = models(rules({"name": "one", "use": {"new": 50, "old": 50}}))
    second = models(rules({"name": "two", "use": {"new": 50, "old": 50}}))
    agree = sum(first[key] == second[key] for key in KEYS) / len(KEYS)
    assert agree == pytest.approx(0.5, abs=0.05)


@given(st.text(), st.floats(1, 99))
def test_any_key_has_a_model(key: str, share: float) -> None:
    split = rules({"name": "split", "use": {"new": share, "old": 100 - share}})
    assert choose(split, MONDAY_NOON, key, {}).model in {"new", "old"}


def test_load_decides_while_it_lasts() -> None:
    given = rules(
        {"name": "burst", "when": {"running": {"own": 2}}, "use": "cloud"}, {"name": "baseline", "use": "own"}
    )
    assert choose(given, MONDAY_NOON, "key", {"own": 1}).model == "own"
    assert choose(given, MONDAY_NOON, "key", {"own": 2}).model == "cloud"
    assert choose(given, MONDAY_NOON, "key", {}).rule == "baseline"


def test_shadow_goes_to_its_share_and_is_drawn_apart_from_the_split() -> None:
    given = rules({"name": "r", "use": {"new": 50, "old": 50}, "shadow": {"model": "next", "percent": 20}})
    chosen = [choose(given, MONDAY_NOON, key, {}) for key in KEYS]
    copied = [one for one in chosen if one.shadow == "next"]
    assert len(copied) / len(KEYS) == pytest.approx(0.2, abs=0.03)
    assert sum(one.model == "new" for one in copied) / len(copied) == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("hours", "at", "holds"),
    [
        ("08:00-18:00", "2026-11-23 08:00", True),
        ("08:00-18:00", "2026-11-23 17:59", True),
        ("08:00-18:00", "2026-11-23 18:00", False),
        ("08:00-18:00", "2026-11-23 07:59", False),
        ("20:00-06:00", "2026-11-23 20:00", True),
        ("20:00-06:00", "2026-11-23 05:59", True),
        ("20:00-06:00", "2026-11-23 06:00", False),
        ("00:00-24:00", "2026-11-23 23:59", True),
        ("22:00-24:00", "2026-11-23 00:00", False),
    ],
)
def test_hours(hours: str, at: str, holds: bool) -> None:
    assert Schedule(hours=parse_hours(hours)).holds(datetime.fromisoformat(at)) is holds


@pytest.mark.parametrize(
    ("at", "holds"),
    [
        ("2026-11-27 23:00", True),  # a Friday
        ("2026-11-28 05:00", True),  # still Friday's night
        ("2026-11-28 23:00", False),
        ("2026-11-27 05:00", False),  # Thursday's night
    ],
)
def test_night_belongs_to_the_day_on_which_it_begins(at: str, holds: bool) -> None:
    friday = Schedule(parse_hours("22:00-06:00"), parse_weekdays(["fri"]))
    assert friday.holds(datetime.fromisoformat(at)) is holds


@pytest.mark.parametrize(
    ("day", "at", "holds"),
    [
        (-1, "2026-02-28", True),
        (-1, "2024-02-28", False),
        (-1, "2024-02-29", True),
        (-2, "2026-11-29", True),
        (31, "2026-11-30", False),
        (1, "2026-12-01", True),
    ],
)
def test_days_of_the_month(day: int, at: str, holds: bool) -> None:
    assert Schedule(month_days=frozenset({day})).holds(datetime.fromisoformat(at)) is holds


def test_span_of_weekdays_over_the_weekend() -> None:
    assert parse_weekdays(["sat-mon", "wed"]) == {5, 6, 0, 2}


def test_gap_is_found_where_it_is() -> None:
    office = Schedule(parse_hours("08:00-18:00"), parse_weekdays(["mon-fri"]))
    nights = Schedule(parse_hours("18:00-08:00"))
    weekend = Schedule(weekdays=parse_weekdays(["sat-sun"]))
    assert first_gap([office, nights, weekend]) is None
    gap = first_gap([office, nights])
    assert gap is not None
    assert (gap.weekday(), gap.hour) == (5, 8)


def test_gap_of_one_day_in_four_years_is_found() -> None:
    gap = first_gap([Schedule(month_days=frozenset(range(1, 29))), Schedule(month_days=frozenset({-1, -2}))])
    assert gap is not None
    assert gap.day == 29


@given(st.lists(st.tuples(st.integers(0, 23), st.integers(1, 24)), min_size=1, max_size=4), st.integers(0, 23))
def test_no_gap_means_that_every_hour_is_covered(spans: list[tuple[int, int]], hour: int) -> None:
    schedules = [Schedule(parse_hours(f"{a:02}:00-{b:02}:00")) for a, b in spans if a != b]
    at = datetime.fromisoformat(f"2026-11-25 {hour:02}:30")
    if first_gap(schedules) is None:
        assert any(schedule.holds(at) for schedule in schedules)


def test_shipped_example_is_sound() -> None:
    assert read_rules(ROOT / "configs" / "routing.yaml").models == [
        "cloud", "llama-70b", "llama-small", "llama-next", "llama",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("rules: [{name: a, use: {x: 10, y: 80}}]", "rules.0.use: the percentages add up to 90, not to 100"),
        ("rules: [{name: a, use: {x: 110, y: -10}}]", "less than or equal to 100"),
        ("rules: [{name: a, use: x, when: {hours: 08:00-18:00}}]", "no rule is sure to hold on"),
        ("rules: [{name: a, use: x, when: {running: {x: 3}}}]", "no rule is sure to hold on"),
        ("rules: [{name: a, use: x}, {name: b, use: y}]", "rule 'a' always holds, so 'b' never would"),
        ("rules: [{name: a, use: x, when: {hours: 8-18}}, {name: b, use: y}]", "'8-18' is no span of hours"),
        ("rules: [{name: a, use: x, when: {hours: 08:00-08:00}}, {name: b, use: y}]", "empty"),
        ("rules: [{name: a, use: x, when: {hours: 08:00-24:30}}, {name: b, use: y}]", "24:00"),
        ("rules: [{name: a, use: x, when: {weekdays: [mo]}}, {name: b, use: y}]", "'mo' is no weekday"),
        ("rules: [{name: a, use: x, when: {month_days: [0]}}, {name: b, use: y}]", "days go from 1 to 31"),
        ("rules: [{name: a, use: x, when: {}}, {name: b, use: y}]", "says nothing"),
        ("rules: [{name: a, use: x, whem: {hours: 08:00-18:00}}]", "rules.0.whem: Extra inputs"),
        ("rules: [{name: a, use: x, when: {weekdays: [mon]}}, {name: a, use: y}]", "two rules are called 'a'"),
        ("time_zone: Mars/Olympus\nrules: [{name: a, use: x}]", "there is no time zone 'Mars/Olympus'"),
        ("time_zone: ../etc\nrules: [{name: a, use: x}]", "there is no time zone '../etc'"),
        ("rules: []", "at least 1"),
        ("", "valid dictionary"),
        ("rules: [", "can't be read"),
    ],
)
def test_rules_that_are_off_are_refused_by_name(tmp_path: Path, text: str, why: str) -> None:
    assert why in refusal(tmp_path, text)


def test_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="can't be read"):
        read_rules(tmp_path / "none.yaml")
