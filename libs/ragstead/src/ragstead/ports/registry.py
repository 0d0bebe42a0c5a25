"""Releases that are kept, the one that is live, and the record of how it came to be."""

from __future__ import annotations

import builtins
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value."""

CHAMPION = "champion"
"""Alias of the release that a running platform follows."""
CANDIDATE = "candidate"
"""Alias of the release that was registered last."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is recorded beside a release and is no part of its hash.

    Attributes:
        package_version: Of the code that made it.
        git_commit: Of that code where it is known.
        collections: Versions of the collections that there were, by name; empty where that is not known.
        notes: The words of who made it.
    """

    package_version: str = ""
    git_commit: str | None = None
    collections: Mapping[str, int] = field(default_factory=dict)
    notes: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """The whole pipeline under one content hash.

    Attributes:
        release_id: `r-` and 12 hexadecimal digits, of the manifest alone.
        manifest: Everything that an answer depends on; a pipeline can be composed from it.
        provenance: Where it comes from.
    """

    release_id: str
    manifest: Mapping[str, Json]
    provenance: Provenance = field(default_factory=Provenance)


@dataclass(frozen=True, slots=True)
class GateVerdict:
    """What the quality gate said of a release.

    Attributes:
        outcome: Whether it may be promoted.
        run_id: Of the experiment's run that holds the report; empty where there is none.
        against: The release that it was compared with; empty where there was none.
        why: In one line: the measures that failed, or how many passed.
        at: Unix seconds.
    """

    outcome: Literal["passed", "refused"]
    run_id: str = ""
    against: str = ""
    why: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class RegisteredRelease:
    """A release as the registry keeps it.

    Attributes:
        release: With its manifest.
        version: 1 for the first one registered.
        created_at: Unix seconds.
        aliases: `champion`, `candidate`, and what others gave it.
        gate: The last verdict; None where the gate has not seen it.
        prompts: For each prompt template the version under which the prompt registry keeps its text.
    """

    release: Release
    version: int
    created_at: float
    aliases: frozenset[str] = frozenset()
    gate: GateVerdict | None = None
    prompts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Promotion:
    """One entry of the audit trail: a champion that followed another.

    Attributes:
        to: The release that became the champion.
        origin: The one that was; None for the first.
        kind: `rollback` where it goes back to an earlier champion.
        by: Who.
        at: Unix seconds.
        why: The reason given; empty where none was needed.
        forced: Whether it went against the gate's verdict, or without one.
    """

    to: str
    origin: str | None
    kind: Literal["promote", "rollback"]
    by: str
    at: float
    why: str = ""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """What a release has to fit, as it stays until the platform is started anew.

    Attributes:
        index: What the running embedder and analysis make indexes with.
        chunker: The settings that documents are cut with.
        pair_weight: Of pairs of words in BM25, with which the indexes were opened.
    """

    index: str
    chunker: Mapping[str, Json]
    pair_weight: float


@dataclass(frozen=True, slots=True)
class ServedRelease:
    """What a platform serves, as its data directory keeps it for the next start and for other processes.

    Attributes:
        live: The release on its answers.
        configured: The one that its configuration comes to.
        ground: What a release has to fit there.
        champion: The one that was followed last; None where none was.
    """

    live: str
    configured: str
    ground: Ground
    champion: Release | None = None


class Registry(Protocol):
    """Keeps releases; a release that is there already stays what it is, whoever registers it again."""

    async def register(self, release: Release, prompts: Mapping[str, str]) -> RegisteredRelease:
        """Keep a release and call it `candidate`; the same one twice is one version.

        Args:
            release: What is kept.
            prompts: The texts of its prompt templates by name, for the prompt registry: a text that is there already
                makes no new version there.

        Raises:
            Unavailable: If the registry can't be reached.
        """
        ...

    async def find(self, name: str) -> RegisteredRelease:
        """Return a release by its id, or by an alias such as `champion`.

        Raises:
            NotFound: If there is none of that name.
            Unavailable: If the registry can't be reached.
        """
        ...

    async def list(self) -> builtins.list[RegisteredRelease]:
        """Return every release, the one registered last first.

        Raises:
            Unavailable: If the registry can't be reached.
        """
        ...

    async def record_gate(self, release_id: str, verdict: GateVerdict) -> None:
        """Keep the gate's verdict on a release, in place of an earlier one.

        Raises:
            NotFound: If there is no such release.
            Unavailable: If the registry can't be reached.
        """
        ...


class Promotions(Protocol):
    """Says which release is live, and keeps the record of every change, which only grows."""

    async def promote(self, promotion: Promotion) -> None:
        """Add the entry to the audit trail, and let `champion` mean its release from then on.

        Raises:
            NotFound: If there is no such release; nothing is recorded then.
            Unavailable: If the registry can't be reached.
        """
        ...

    async def trail(self) -> builtins.list[Promotion]:
        """Return every entry, the oldest first.

        Raises:
            Unavailable: If the registry can't be reached.
        """
        ...


class Champions(Protocol):
    """Says which release is the champion, cheaply enough to be asked every second or two."""

    async def champion(self) -> str | None:
        """Return the id of the champion; None where there is none.

        Raises:
            Unavailable: If that can't be found out.
        """
        ...

    async def release(self, release_id: str) -> Release:
        """Return a release with its manifest.

        Raises:
            NotFound: If there is none of that id.
            InvalidRequest: If what is kept under that id is something else.
            Unavailable: If it can't be had.
        """
        ...
