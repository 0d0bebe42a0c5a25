"""Follows the champion: what becomes it is composed and goes live, without a restart and beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from ragstead.errors import RagsteadError, Unavailable
from ragstead.pipelines.live_release import Composition, LiveRelease
from ragstead.ports.registry import Champions, Release

_log = logging.getLogger(__name__)
_STARTING = 15
"""Failures before the first answer after which it is no longer taken for starting up."""


@dataclass(frozen=True, slots=True)
class FollowingParts:
    """What following is composed of.

    Attributes:
        champions: Says which release is the champion.
        compose: A release's pipelines; None for those of the configuration.
        keep: Is told of a champion that went live, and None where there is none any more.
        live: What requests go through.
    """

    champions: Champions
    compose: Callable[[Release | None], Awaitable[Composition]]
    keep: Callable[[Release | None], Awaitable[None]]
    live: LiveRelease


class ChampionFollower:
    """Asks for the champion again and again, and makes it live.

    A champion that can't be had or honoured changes nothing: what is live stays live, and `word` says why.

    Args:
        parts: What it works with.
        poll_s: Seconds between two questions.
        champion: The one that is live already; None where the configuration's release is.
    """

    def __init__(self, parts: FollowingParts, poll_s: float, champion: str | None) -> None:
        self._parts = parts
        self._poll_s = poll_s
        self._live_champion = champion
        self._refused: str | None = None
        self._trouble = "waits for MLflow"
        self._answered = False
        self._failures = 0

    @property
    def word(self) -> str:
        """What is served and why, in a few words."""
        what = "the champion" if self._live_champion else "the configuration's release"
        told = f"serves {what}, {self._parts.live.release_id}"
        return f"{told}; {self._trouble}" if self._trouble else told

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._poll_s)

    async def look(self) -> None:
        """Ask once, and follow."""
        await self._parts.live.sweep()
        try:
            wanted = await self._parts.champions.champion()
            if wanted == self._live_champion:
                self._refused, self._trouble = None, "" if wanted else "there is no champion"
            elif wanted is None or wanted != self._refused:
                await self._follow(wanted)
        except Unavailable as error:
            self._failures += 1
            loud = self._failures == (1 if self._answered else _STARTING)
            self._tell(f"MLflow can't be asked ({self._failures} times by now): {error}", loud=loud)
        else:
            self._failures, self._answered = 0, True

    async def _follow(self, wanted: str | None) -> None:
        parts = self._parts
        try:
            release = None if wanted is None else await parts.champions.release(wanted)
            composition = await parts.compose(release)
        except Unavailable:
            raise
        except RagsteadError as error:
            self._refused = wanted
            self._tell(f"the champion is {wanted} and is not followed: {error}")
            return
        await parts.live.exchange(composition)
        self._live_champion, self._refused, self._trouble = wanted, None, ""
        _log.info("release %s is live", parts.live.release_id)
        await parts.keep(release)

    def _tell(self, trouble: str, *, loud: bool = True) -> None:
        self._trouble = trouble
        if loud:
            _log.warning("%s; %s stays live", trouble, self._parts.live.release_id)
