"""Manifests: everything that an answer depends on, as one JSON document, and what differs between two of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from ragstead.errors import InvalidRequest
from ragstead.ports.registry import Json, Provenance, Release
from ragstead.releases.content import release_id

FORMAT = 1
"""Of manifests. A manifest of another one is not read by this code."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value that two manifests do not share.

    Attributes:
        path: Names of the nested mappings, joined by dots.
        old: The first one's; None where it has none.
        new: The second one's; None where it has none.
    """

    path: str
    old: Json
    new: Json


def release_of(manifest: Mapping[str, Json], provenance: Provenance | None = None) -> Release:
    """Return the release of a manifest: its id is the hash of the manifest and of nothing else."""
    return Release(release_id(manifest), manifest, provenance or Provenance())


def written(release: Release) -> str:
    """Return the manifest as the text that is kept: JSON for people, keys in order."""
    return json.dumps(release.manifest, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def read_manifest(text: str, expected: str, provenance: Provenance | None = None) -> Release:
    """Return the release of a manifest that was kept.

    Args:
        text: As `written` gives it.
        expected: The id that it was kept under.
        provenance: Where it comes from.

    Raises:
        InvalidRequest: If it is no JSON object, or is not what was kept under that id.
    """
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise InvalidRequest(f"the manifest of release {expected} is no JSON: {error}") from error
    if not isinstance(manifest, dict):
        raise InvalidRequest(f"the manifest of release {expected} is no JSON object")
    release = release_of(manifest, provenance)
    if release.release_id != expected:
        raise InvalidRequest(
            f"the manifest kept as release {expected} hashes to {release.release_id}: it was changed or damaged"
        )
    return release


def differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[Difference]:
    """Return what differs, by path in order of the alphabet; lists are compared whole. Empty where nothing does."""
    before, after = dict(_leaves(old)), dict(_leaves(new))
    return [
        Difference(path, before.get(path), after.get(path))
        for path in sorted(before.keys() | after.keys())
        if before.get(path) != after.get(path)
    ]


def _leaves(value: Mapping[str, Json], prefix: str = "") -> Iterator[tuple[str, Json]]:
    for name, inner in value.items():
        if isinstance(inner, Mapping) and inner:
            yield from _leaves(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", inner
