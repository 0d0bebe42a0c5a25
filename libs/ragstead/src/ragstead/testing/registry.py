"""Releases and their promotions in memory: the fake of the ports, which pass the contract suite of the adapters."""

from __future__ import annotations

import builtins
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ragstead.errors import NotFound
from ragstead.ports.registry import CANDIDATE, CHAMPION, GateVerdict, Promotion, RegisteredRelease, Release


@dataclass(slots=True)
class _Prompt:
    versions: list[str] = field(default_factory=list)

    def version_of(self, text: str) -> int:
        if text not in self.versions:
            self.versions.append(text)
        return self.versions.index(text) + 1


class MemoryRegistry:
    """Is `Registry`, `Promotions` and `Champions`, in dictionaries."""

    def __init__(self) -> None:
        self._kept: dict[str, RegisteredRelease] = {}
        self._aliases: dict[str, str] = {}
        self._prompts: dict[str, _Prompt] = {}
        self._trail: builtins.list[Promotion] = []

    async def register(self, release: Release, prompts: Mapping[str, str]) -> RegisteredRelease:
        """Keep a release and call it `candidate`."""
        if release.release_id not in self._kept:
            versions = {name: self._prompts.setdefault(name, _Prompt()).version_of(prompts[name]) for name in prompts}
            entry = RegisteredRelease(release, len(self._kept) + 1, time.time(), prompts=versions)
            self._kept[release.release_id] = entry
        self._aliases[CANDIDATE] = release.release_id
        return await self.find(release.release_id)

    async def find(self, name: str) -> RegisteredRelease:
        """Return a release by its id or by an alias."""
        release_id = self._aliases.get(name, name)
        if release_id not in self._kept:
            raise NotFound("release", name[:80], "`ragstead release list` shows those there are")
        aliases = frozenset(alias for alias, meant in self._aliases.items() if meant == release_id)
        return replace(self._kept[release_id], aliases=aliases)

    async def list(self) -> builtins.list[RegisteredRelease]:
        """Return every release, the one registered last first."""
        return [await self.find(release_id) for release_id in reversed(self._kept)]

    async def record_gate(self, release_id: str, verdict: GateVerdict) -> None:
        """Keep the gate's verdict on a release."""
        kept = await self.find(release_id)
        self._kept[kept.release.release_id] = replace(kept, gate=verdict)

    async def promote(self, promotion: Promotion) -> None:
        """Add the entry to the trail, and let `champion` mean its release."""
        await self.find(promotion.to)
        self._trail.append(promotion)
        self._aliases[CHAMPION] = promotion.to

    async def trail(self) -> builtins.list[Promotion]:
        """Return every entry, the oldest first."""
        return [*self._trail]

    async def champion(self) -> str | None:
        """Return the id of the champion."""
        return self._aliases.get(CHAMPION)

    async def release(self, release_id: str) -> Release:
        """Return a release with its manifest."""
        return (await self.find(release_id)).release
