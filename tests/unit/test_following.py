"""The live release: exchanged between requests and not in them, and following a champion through every trouble."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from ragstead.errors import Conflict, NotFound, Unavailable
from ragstead.model import Answer, Receipt
from ragstead.pipelines.asking import AskRequest
from ragstead.pipelines.following import ChampionFollower, FollowingParts
from ragstead.pipelines.live_release import NAMED_AT_ONCE, Composition, LiveRelease
from ragstead.pipelines.retrieve import SearchRequest, SearchResult
from ragstead.ports.registry import Promotion, Release
from ragstead.releases import release_of
from ragstead.testing.registry import MemoryRegistry

ASK = AskRequest("What?")


class Stamping:
    """Answers with its name, in two pieces, the second once the gate is open; closes once."""

    def __init__(self, name: str, gate: asyncio.Event | None = None) -> None:
        self.name, self.gate, self.closed = name, gate, 0

    async def stream(self, request: AskRequest) -> AsyncGenerator[str | Answer, None]:
        assert not self.closed
        yield "begun"
        if self.gate is not None:
            await self.gate.wait()
        assert not self.closed
        receipt = Receipt(self.name, 1, "t", "m")
        yield Answer("begun", (), False, None, 0.5, "stop", receipt)

    async def search(self, request: SearchRequest) -> SearchResult:
        raise Unavailable("vectors", f"{self.name} is asked")

    async def close(self) -> None:
        self.closed += 1

    def composed(self) -> Composition:
        return Composition(self.name, self, self, self.close)


async def release_on(live: LiveRelease) -> str:
    return (await live.answer(ASK)).receipt.release


def test_answer_that_has_begun_ends_on_its_release_which_is_closed_after_it() -> None:
    async def scenario() -> None:
        gate = asyncio.Event()
        old, new = Stamping("r-old", gate), Stamping("r-new")
        live = LiveRelease(old.composed())
        answering = asyncio.create_task(live.answer(ASK))
        await asyncio.sleep(0)
        await live.exchange(new.composed())
        assert live.release_id == "r-new"
        assert await release_on(live) == "r-new"
        assert old.closed == 0
        gate.set()
        assert (await answering).receipt.release == "r-old"
        await live.sweep()
        await live.sweep()
        assert (old.closed, new.closed) == (1, 0)

    asyncio.run(scenario())


def test_request_that_names_a_release_is_answered_by_it_and_leaves_the_live_one_live() -> None:
    async def scenario() -> None:
        composed: list[Stamping] = []

        async def compose(release_id: str) -> Composition:
            composed.append(Stamping(release_id))
            return composed[-1].composed()

        live = LiveRelease(Stamping("r-live").composed(), compose)
        for name in ("r-1", "r-1", "r-live", "r-2"):
            assert (await live.answer(replace(ASK, release=name))).receipt.release == name
        assert [one.name for one in composed] == ["r-1", "r-2"]
        assert await release_on(live) == "r-live"
        await live.close()
        assert [one.closed for one in composed] == [1, 1]

    asyncio.run(scenario())


def test_named_release_that_was_not_used_for_long_is_closed_once_it_has_answered() -> None:
    async def scenario() -> None:
        gates = {"r-0": asyncio.Event()}
        composed: dict[str, Stamping] = {}

        async def compose(release_id: str) -> Composition:
            composed[release_id] = Stamping(release_id, gates.get(release_id))
            return composed[release_id].composed()

        live = LiveRelease(Stamping("r-live").composed(), compose)
        first = asyncio.create_task(live.answer(replace(ASK, release="r-0")))
        await asyncio.sleep(0)
        for n in range(1, NAMED_AT_ONCE + 1):
            await live.answer(replace(ASK, release=f"r-{n}"))
        assert composed["r-0"].closed == 0
        gates["r-0"].set()
        assert (await first).receipt.release == "r-0"
        await live.sweep()
        assert composed["r-0"].closed == 1

    asyncio.run(scenario())


def test_release_named_where_none_can_be_had_is_not_found() -> None:
    async def scenario() -> None:
        live = LiveRelease(Stamping("r-live").composed())
        with pytest.raises(NotFound, match="no MLflow"):
            await live.answer(replace(ASK, release="r-other"))

    asyncio.run(scenario())


def test_request_that_fails_or_is_left_holds_no_release() -> None:
    async def scenario() -> None:
        old = Stamping("r-old")
        live = LiveRelease(old.composed())
        with pytest.raises(Unavailable, match="r-old is asked"):
            await live.search(SearchRequest("what"))
        stream = live.stream(ASK)
        await anext(stream)
        await stream.aclose()
        await live.exchange(Stamping("r-new").composed())
        assert old.closed == 1

    asyncio.run(scenario())


def test_end_closes_all_that_still_run() -> None:
    async def scenario() -> None:
        old, new = Stamping("r-old", asyncio.Event()), Stamping("r-new")
        live = LiveRelease(old.composed())
        answering = asyncio.create_task(live.answer(ASK))
        await asyncio.sleep(0)
        await live.exchange(new.composed())
        await live.close()
        assert (old.closed, new.closed) == (1, 1)
        answering.cancel()
        await asyncio.wait([answering])

    asyncio.run(scenario())


class World:
    """A registry whose champion is followed."""

    def __init__(self) -> None:
        self.registry = MemoryRegistry()
        self.releases = [release_of({"n": n}) for n in range(3)]
        self.down: Exception | None = None
        self.unfit: set[str] = set()
        self.kept: list[str | None] = []
        self.composed: list[str] = []
        self.live = LiveRelease(Stamping("r-configured").composed())
        self.follower = ChampionFollower(FollowingParts(self, self.compose, self.keep, self.live), 0.01, None)

    async def champion(self) -> str | None:
        if self.down is not None:
            raise self.down
        return await self.registry.champion()

    async def release(self, release_id: str) -> Release:
        return await self.registry.release(release_id)

    async def compose(self, release: Release | None) -> Composition:
        name = "r-configured" if release is None else release.release_id
        self.composed.append(name)
        if name in self.unfit:
            raise Conflict(f"{name} has another index")
        return Stamping(name).composed()

    async def keep(self, release: Release | None) -> None:
        self.kept.append(None if release is None else release.release_id)

    async def promote(self, number: int) -> str:
        release = self.releases[number]
        await self.registry.register(release, {})
        await self.registry.promote(Promotion(release.release_id, None, "promote", "ann", 1.0))
        return release.release_id


def test_champion_goes_live_once_and_is_kept() -> None:
    async def scenario() -> None:
        world = World()
        await world.follower.look()
        assert "no champion" in world.follower.word
        for number in (0, 1, 0):
            wanted = await world.promote(number)
            await world.follower.look()
            await world.follower.look()
            assert await release_on(world.live) == wanted
            assert world.follower.word == f"serves the champion, {wanted}"
        first, second = (world.releases[n].release_id for n in (0, 1))
        assert world.composed == world.kept == [first, second, first]

    asyncio.run(scenario())


def test_registry_that_is_down_changes_nothing_and_is_counted() -> None:
    async def scenario() -> None:
        world = World()
        champion = await world.promote(0)
        await world.follower.look()
        world.down = Unavailable("mlflow", "it is gone")
        for _ in range(3):
            await world.follower.look()
        assert await release_on(world.live) == champion
        assert "3 times" in world.follower.word
        assert "it is gone" in world.follower.word
        world.down = None
        await world.follower.look()
        assert world.follower.word == f"serves the champion, {champion}"

    asyncio.run(scenario())


def test_champion_that_can_not_be_honoured_is_told_and_not_tried_again() -> None:
    async def scenario() -> None:
        world = World()
        good, bad = await world.promote(0), world.releases[1].release_id
        await world.follower.look()
        world.unfit.add(bad)
        await world.promote(1)
        await world.follower.look()
        await world.follower.look()
        assert world.composed == [good, bad]
        assert await release_on(world.live) == good
        assert f"the champion is {bad} and is not followed: {bad} has another index" in world.follower.word
        await world.promote(2)
        await world.follower.look()
        assert await release_on(world.live) == world.releases[2].release_id

    asyncio.run(scenario())


def test_end_of_the_last_champion_is_the_configurations_release_again() -> None:
    async def scenario() -> None:
        world = World()
        await world.promote(0)
        await world.follower.look()
        world.registry = MemoryRegistry()
        await world.follower.look()
        assert await release_on(world.live) == "r-configured"
        assert world.kept[-1] is None

    asyncio.run(scenario())
