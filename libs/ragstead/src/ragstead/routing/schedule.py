"""Times at which a rule holds: hours, weekdays and days of the month, on the wall clock of a time zone."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_DAY_MINUTES = 24 * 60
_REPEATS_AFTER = 28 * 366
"""Days of a span in which every date of the month has met every weekday, leap years too."""


@dataclass(frozen=True, slots=True)
class Hours:
    """A span of the day, over midnight where it ends before it begins; minutes since midnight, the end left out."""

    start: int
    end: int

    @property
    def over_midnight(self) -> bool:
        """Whether it ends on the day after."""
        return self.end <= self.start


def parse_hours(text: str) -> Hours:
    """Return the span written as `08:00-18:00`.

    Raises:
        ValueError: If it is written otherwise, or empty.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no span of hours; write it as 08:00-18:00")
    start_hour, start_minute, end_hour, end_minute = map(int, found.groups())
    start, end = 60 * start_hour + start_minute, 60 * end_hour + end_minute
    if start == end or end > _DAY_MINUTES:
        raise ValueError(f"{text!r} is no span of hours; it is empty or ends after 24:00")
    return Hours(start, end)


def parse_weekdays(given: Sequence[str]) -> frozenset[int]:
    """Return the numbers, Monday 0, of days and spans of days such as `mon-fri`.

    Raises:
        ValueError: If one is no day.
    """
    out: set[int] = set()
    for one in given:
        first, _, last = one.partition("-")
        if first not in WEEKDAYS or (last or first) not in WEEKDAYS:
            raise ValueError(f"{one!r} is no weekday; there are {', '.join(WEEKDAYS)}, and spans such as mon-fri")
        day, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
        out.update((day + i) % 7 for i in range((end - day) % 7 + 1))
    return frozenset(out)


@dataclass(frozen=True, slots=True)
class Schedule:
    """When something holds; what is None does not matter. A span over midnight belongs to the day on which it begins.

    Attributes:
        hours: Of the day.
        weekdays: Monday is 0.
        month_days: From 1; the last one is -1.
    """

    hours: Hours | None = None
    weekdays: frozenset[int] | None = None
    month_days: frozenset[int] | None = None

    def holds(self, at: datetime) -> bool:
        """Return whether it holds at a moment of the wall clock."""
        minute, day = 60 * at.hour + at.minute, at.date()
        if self.hours is not None:
            if self.hours.over_midnight and minute < self.hours.end:
                day -= timedelta(days=1)
            elif minute < self.hours.start or (not self.hours.over_midnight and minute >= self.hours.end):
                return False
        if self.weekdays is not None and day.weekday() not in self.weekdays:
            return False
        return self.month_days is None or not self.month_days.isdisjoint(_month_days(day))


def first_gap(schedules: Sequence[Schedule]) -> datetime | None:
    """Return a moment at which none of them holds, or None where there is none."""
    starts = {0}
    for schedule in schedules:
        if schedule.hours is not None:
            starts |= {schedule.hours.start, schedule.hours.end % _DAY_MINUTES}
    for day in _days():
        for minute in sorted(starts):
            at = datetime.combine(day, time(minute // 60, minute % 60))
            if not any(schedule.holds(at) for schedule in schedules):
                return at
    return None


def _month_days(day: date) -> tuple[int, int]:
    length = calendar.monthrange(day.year, day.month)[1]
    return day.day, day.day - length - 1


def _days() -> Iterator[date]:
    """Yield days such that each kind of day that a schedule can tell from others, and the one before it, is there."""
    seen: set[tuple[int, tuple[int, int], tuple[int, int]]] = set()
    day = date(2024, 1, 1)
    for _ in range(_REPEATS_AFTER):
        before = day - timedelta(days=1)
        kind = (day.weekday(), _month_days(day), _month_days(before))
        if kind not in seen:
            seen.add(kind)
            yield day
        day += timedelta(days=1)
