"""Promotes releases, and goes back: what may go live, and the record of what did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ragstead.errors import Conflict, NotFound
from ragstead.ports.registry import CHAMPION, Promotion, Promotions, RegisteredRelease, Registry, Release
from ragstead.releases import check_promotion, previous_champion


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants a change of the champion, and why.

    Attributes:
        by: Who.
        why: The reason; may be empty where nothing is forced.
        force: Whether to go against the gate, or without it.
    """

    by: str
    why: str = ""
    force: bool = False


class ReleasePipeline:
    """Changes the champion.

    Args:
        registry: Where releases are.
        promotions: Where the champion is, and the trail.
        fits: Raises `Conflict` for a release that the running code or index can't honour; that can't be forced.
        clock: Unix seconds.
    """

    def __init__(
        self,
        registry: Registry,
        promotions: Promotions,
        fits: Callable[[Release], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._registry = registry
        self._promotions = promotions
        self._fits = fits
        self._clock = clock

    async def champion(self) -> RegisteredRelease | None:
        """Return the champion; None where there is none.

        Raises:
            Unavailable: If the registry can't be reached.
        """
        try:
            return await self._registry.find(CHAMPION)
        except NotFound:
            return None

    async def promote(self, name: str, asked: Asked) -> Promotion | None:
        """Make a release the champion; None where it is already.

        Args:
            name: Its id, or an alias.
            asked: By whom and why.

        Raises:
            NotFound: If there is no such release.
            Conflict: If the running code or index can't honour it.
            GateRefused: If the gate refused it or has not seen it, and it is not forced.
            InvalidRequest: If it is forced without a reason.
            Unavailable: If the registry can't be reached.
        """
        candidate, champion = await self._registry.find(name), await self.champion()
        live = champion.release.release_id if champion is not None else None
        if candidate.release.release_id == live:
            return None
        self._fits(candidate.release)
        forced = check_promotion(candidate, live, force=asked.force, why=asked.why)
        entry = Promotion(
            candidate.release.release_id, live, "promote", asked.by, self._clock(), asked.why.strip(), forced
        )
        await self._promotions.promote(entry)
        return entry

    async def rollback(self, asked: Asked) -> Promotion:
        """Make the champion before this one the champion again; it needs no gate, as it was live before.

        Raises:
            Conflict: If there was none, or the running code or index can't honour it any more.
            Unavailable: If the registry can't be reached.
        """
        champion = await self.champion()
        live = champion.release.release_id if champion is not None else None
        before = previous_champion(await self._promotions.trail(), live)
        if before is None:
            raise Conflict(
                f"there is no champion before {live}" if live else "there is no champion, and nothing to go back to"
            )
        self._fits((await self._registry.find(before)).release)
        entry = Promotion(before, live, "rollback", asked.by, self._clock(), asked.why.strip())
        await self._promotions.promote(entry)
        return entry
