"""The suite of `Registry`, `Promotions` and, where it is the same thing, `Champions`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Protocol, TypeVar

from ragstead.errors import NotFound
from ragstead.ports.registry import (
    CANDIDATE,
    CHAMPION,
    Champions,
    GateVerdict,
    Json,
    Promotion,
    Promotions,
    Provenance,
    Registry,
    Release,
)
from ragstead.releases import release_of

T = TypeVar("T")


class ReleaseStore(Registry, Promotions, Champions, Protocol):
    """All three ports over the same releases."""


def a_release(**changed: str) -> Release:
    """Return a release that no other test has, with all that JSON can hold."""
    manifest: dict[str, Json] = {
        "format": 1,
        "mark": secrets.token_hex(8),
        "deep": {"ä": [1, 2.5, None, True], "empty": {}},
        **changed,
    }
    return release_of(manifest, Provenance("1.2.3", "c0ffee+", {"default": 7}, "notes with “quotes” and 日本"))


class RegistryContract:
    """What any registry does; subclasses define `opened`. What other tests left in it makes no difference."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[ReleaseStore]:
        """Open it."""
        raise AssertionError("a suite says what it tests")

    def use(self, folder: Path, work: Callable[[ReleaseStore], Awaitable[T]]) -> T:
        """Run a test's scenario."""

        async def run() -> T:
            async with self.opened(folder) as store:
                return await work(store)

        return asyncio.run(run())

    def test_release_comes_back_whole_by_its_id_and_as_the_candidate(self, tmp_path: Path) -> None:
        async def scenario(store: ReleaseStore) -> None:
            release = a_release()
            kept = await store.register(release, {})
            assert kept == await store.find(release.release_id) == await store.find(CANDIDATE)
            assert kept.release == release == await store.release(release.release_id)
            assert kept.aliases == {CANDIDATE}
            assert kept.gate is None
            assert kept.created_at > 1e9

        self.use(tmp_path, scenario)

    def test_same_release_twice_is_one_version_and_the_candidate_again(self, tmp_path: Path) -> None:
        async def scenario(store: ReleaseStore) -> None:
            release, other = a_release(), a_release()
            first = await store.register(release, {})
            second = await store.register(other, {})
            again = await store.register(replace(release, provenance=Provenance("9")), {})
            assert again.version == first.version < second.version
            assert again.release.provenance == release.provenance
            assert again.aliases == {CANDIDATE}
            assert (await store.find(other.release_id)).aliases == frozenset()

        self.use(tmp_path, scenario)

    def test_releases_are_listed_the_newest_first(self, tmp_path: Path) -> None:
        async def scenario(store: ReleaseStore) -> None:
            made = [(await store.register(a_release(), {})).release.release_id for _ in range(3)]
            listed = await store.list()
            assert [one.release.release_id for one in listed][:3] == made[::-1]
            assert [one.version for one in listed] == sorted((one.version for one in listed), reverse=True)

        self.use(tmp_path, scenario)

    def test_what_is_not_there_is_not_found(self, tmp_path: Path) -> None:
        async def missing(asked: Awaitable[object]) -> bool:
            try:
                await asked
            except NotFound:
                return True
            return False

        async def scenario(store: ReleaseStore) -> None:
            await store.register(a_release(), {})
            before = await store.trail()
            assert await missing(store.find("r-000000000000"))
            assert await missing(store.find("no' or name != '"))
            assert await missing(store.release("r-000000000000"))
            assert await missing(store.release("no' or name != '"))
            assert await missing(store.record_gate("r-000000000000", GateVerdict("passed")))
            assert await missing(store.promote(Promotion("r-000000000000", None, "promote", "ann", 1.0)))
            assert await store.trail() == before

        self.use(tmp_path, scenario)

    def test_last_verdict_of_the_gate_is_kept(self, tmp_path: Path) -> None:
        async def scenario(store: ReleaseStore) -> None:
            release_id = (await store.register(a_release(), {})).release.release_id
            await store.record_gate(release_id, GateVerdict("refused", "run1", "r-1", "ndcg@10 fell", 5.25))
            await store.record_gate(release_id, last := GateVerdict("passed", "run2", "r-1", "", 6.5))
            assert (await store.find(release_id)).gate == last
            assert (await store.register((await store.find(release_id)).release, {})).gate == last

        self.use(tmp_path, scenario)

    def test_prompt_gets_a_new_version_where_its_text_is_new_and_only_there(self, tmp_path: Path) -> None:
        async def scenario(store: ReleaseStore) -> None:
            name, other = f"answer-{secrets.token_hex(4)}", f"plan-{secrets.token_hex(4)}"
            texts = [{name: "Answer {question}.\n“ä”", other: "Plan."}, {name: "Say {question}", other: "Plan."}]
            kept = [await store.register(a_release(), texts[n]) for n in (0, 1, 0, 1)]
            assert [one.prompts[name] for one in kept] == [1, 2, 1, 2]
            assert [one.prompts[other] for one in kept] == [1, 1, 1, 1]

        self.use(tmp_path, scenario)

    def test_promoted_release_is_the_champion_and_the_trail_only_grows(self, tmp_path: Path) -> None:
        async def scenario(store: ReleaseStore) -> None:
            first, second = [(await store.register(a_release(), {})).release.release_id for _ in range(2)]
            before = await store.trail()
            entries = [
                Promotion(first, None, "promote", "ann", 1.5),
                Promotion(second, first, "promote", "bob “b”", 2.5, "it must\ngo out", forced=True),
                Promotion(first, second, "rollback", "ann", 3.5, "worse"),
            ]
            for entry in entries:
                await store.promote(entry)
                assert (await store.find(CHAMPION)).release.release_id == entry.to == await store.champion()
            assert await store.trail() == [*before, *entries]
            assert CHAMPION in (await store.find(first)).aliases
            assert CHAMPION not in (await store.find(second)).aliases

        self.use(tmp_path, scenario)
