"""Finished runs of evaluations, kept where people compare them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

Cell: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of named columns; each row has as many cells as there are columns."""

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """What one run came to.

    Attributes:
        experiment: What it is a run of, such as a suite's name; made where it is missing.
        name: What people call it.
        release_id: Of the pipeline that ran.
        parameters: What it was run with.
        metrics: What it came to; finite numbers. Names hold letters, digits and `_-./@ `; `@` is kept.
        tables: By name, such as `questions`: one row for each question.
        files: By name with its ending, such as `report.md` or `reliability.png`: text, or bytes.
        tags: What it may be found by.
        started_at: Unix seconds.
        seconds: How long it took.
    """

    experiment: str
    name: str
    release_id: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tables: Mapping[str, Table] = field(default_factory=dict)
    files: Mapping[str, str | bytes] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    started_at: float = 0.0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run as it is kept, without its tables and files.

    Attributes:
        run_id: Names it.
        experiment: What it is a run of.
        name: What people call it.
        release_id: Of the pipeline that ran.
        parameters: As they were logged.
        metrics: By the names that they were logged with.
        tags: Those that were logged with it.
        started_at: Unix seconds.
    """

    run_id: str
    experiment: str
    name: str
    release_id: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    started_at: float


class Experiments(Protocol):
    """Keeps finished runs."""

    async def log(self, run: FinishedRun) -> str:
        """Keep a run and return its id; where its release is registered, the run is attached to it.

        Raises:
            InvalidRequest: If a metric is not finite, or a name can't be kept.
            Unavailable: If the store can't be reached; of the run nothing may be relied on then.
        """
        ...

    async def runs(self, release_id: str, *, experiment: str | None = None) -> list[KeptRun]:
        """Return the runs of a release, the newest first; none where there are none.

        Args:
            release_id: Whose.
            experiment: Of this one alone; None: of all.

        Raises:
            Unavailable: If the store can't be reached.
        """
        ...

    async def table(self, run_id: str, name: str) -> Table:
        """Return a table of a run.

        Raises:
            NotFound: If there is no such run, or it has no such table.
            Unavailable: If the store can't be reached.
        """
        ...

    async def file(self, run_id: str, name: str) -> bytes:
        """Return a file of a run; text as UTF-8.

        Raises:
            NotFound: If there is no such run, or it has no such file.
            Unavailable: If the store can't be reached.
        """
        ...
