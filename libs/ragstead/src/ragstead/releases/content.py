"""Release ids: one content hash over everything an answer depends on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping


def release_id(parts: Mapping[str, object]) -> str:
    """Return `r-` and 12 hexadecimal digits of the sha256 of the parts as canonical JSON.

    Args:
        parts: JSON values by name: pipeline configuration, embedder identity, fitted weights...
    """
    return f"r-{content_hash(parts)[:12]}"


def content_hash(value: object) -> str:
    """Return the sha256 in hexadecimal of a JSON value, whatever the order of its keys."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
