"""The suite of `Experiments`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TypeVar

from ragstead.errors import InvalidRequest, NotFound, RagsteadError
from ragstead.ports.experiments import Experiments, FinishedRun, Table

T = TypeVar("T")
_TABLE = Table(
    ("question", "rank", "score", "found", "note"),
    (("Was ist “ä”?", 1, 0.5, True, None), ("two\nlines", 12, 1.0, False, "x"), ("", 0, -0.25, True, None)),
)


def a_release_id() -> str:
    """Return the id of a release that no other test has."""
    return f"r-{secrets.token_hex(6)}"


async def _raised(asked: Awaitable[object]) -> type[RagsteadError] | None:
    try:
        await asked
    except RagsteadError as error:
        return type(error)
    return None


class ExperimentsContract:
    """What any store of runs does; subclasses define `opened`. What other tests left in it makes no difference."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Experiments]:
        """Open it."""
        raise AssertionError("a suite says what it tests")

    def use(self, folder: Path, work: Callable[[Experiments], Awaitable[T]]) -> T:
        """Run a test's scenario."""

        async def run() -> T:
            async with self.opened(folder) as store:
                return await work(store)

        return asyncio.run(run())

    def test_run_comes_back_as_it_was_logged(self, tmp_path: Path) -> None:
        async def scenario(store: Experiments) -> None:
            logged = FinishedRun(
                "handbook",
                "first try",
                a_release_id(),
                {"k": "10", "collection": "default"},
                {"ndcg@10": 0.5125, "recall@100": 1.0, "latency_ms/p95": 31.5, "refusal precision": 0.0},
                {"questions": _TABLE},
                {"report.md": "# “Report”\n", "plots/reliability.png": b"\x89PNG\x00\xff", "empty.txt": ""},
                {"suite": "handbook"},
                1_700_000_000.25,
                12.5,
            )
            run_id = await store.log(logged)
            (kept,) = await store.runs(logged.release_id)
            assert (kept.run_id, kept.experiment, kept.name) == (run_id, "handbook", "first try")
            assert (kept.release_id, kept.started_at) == (logged.release_id, logged.started_at)
            assert (kept.parameters, kept.metrics) == (logged.parameters, logged.metrics)
            assert kept.tags == logged.tags
            assert await store.table(run_id, "questions") == _TABLE
            assert await store.file(run_id, "report.md") == "# “Report”\n".encode()
            assert await store.file(run_id, "plots/reliability.png") == b"\x89PNG\x00\xff"
            assert await store.file(run_id, "empty.txt") == b""

        self.use(tmp_path, scenario)

    def test_runs_are_found_by_release_and_experiment_the_newest_first(self, tmp_path: Path) -> None:
        async def scenario(store: Experiments) -> None:
            mine, other = a_release_id(), a_release_id()
            first = await store.log(FinishedRun("a", "1", mine, started_at=1_000.0))
            second = await store.log(FinishedRun("b", "2", mine, started_at=2_000.0))
            third = await store.log(FinishedRun("a", "3", mine, started_at=3_000.0))
            await store.log(FinishedRun("a", "4", other, started_at=4_000.0))
            assert [run.run_id for run in await store.runs(mine)] == [third, second, first]
            assert [run.run_id for run in await store.runs(mine, experiment="a")] == [third, first]
            assert await store.runs(mine, experiment="none of that name") == []
            assert await store.runs(a_release_id()) == []
            assert await store.runs("no' or 1=1 --") == []

        self.use(tmp_path, scenario)

    def test_many_parameters_and_metrics_are_all_kept(self, tmp_path: Path) -> None:
        async def scenario(store: Experiments) -> None:
            names = [f"measure_{n}" for n in range(250)]
            run = FinishedRun(
                "wide",
                "wide",
                a_release_id(),
                dict.fromkeys(names, "v"),
                {name: float(n) for n, name in enumerate(names)},
            )
            await store.log(run)
            (kept,) = await store.runs(run.release_id)
            assert (kept.parameters, kept.metrics) == (run.parameters, run.metrics)

        self.use(tmp_path, scenario)

    def test_number_that_is_none_and_name_that_leads_elsewhere_are_refused(self, tmp_path: Path) -> None:
        async def scenario(store: Experiments) -> None:
            release_id = a_release_id()
            for value in (float("nan"), float("inf")):
                assert (
                    await _raised(store.log(FinishedRun("a", "x", release_id, metrics={"m": value}))) is InvalidRequest
                )
            for name in ("../x.txt", "/x.txt", ""):
                assert await _raised(store.log(FinishedRun("a", "x", release_id, files={name: "x"}))) is InvalidRequest
            assert await store.runs(release_id) == []

        self.use(tmp_path, scenario)

    def test_what_is_not_there_is_not_found(self, tmp_path: Path) -> None:
        async def scenario(store: Experiments) -> None:
            run_id = await store.log(FinishedRun("a", "x", a_release_id(), files={"f.txt": "x"}))
            assert await _raised(store.table(run_id, "nope")) is NotFound
            assert await _raised(store.file(run_id, "nope.txt")) is NotFound
            assert await _raised(store.file(run_id, "deep/nope.txt")) is NotFound
            assert await _raised(store.file("f" * 32, "f.txt")) is NotFound

        self.use(tmp_path, scenario)
