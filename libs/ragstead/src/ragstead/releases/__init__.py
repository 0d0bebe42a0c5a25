"""Releases: the whole pipeline under one content hash, what differs between two, and which may become the champion."""

from ragstead.releases.content import content_hash, release_id
from ragstead.releases.manifests import FORMAT, Difference, differences, read_manifest, release_of, written
from ragstead.releases.promoting import check_promotion, previous_champion

__all__ = [
    "FORMAT",
    "Difference",
    "check_promotion",
    "content_hash",
    "differences",
    "previous_champion",
    "read_manifest",
    "release_id",
    "release_of",
    "written",
]
