"""What releases are called in MLflow, and what their tags say."""

from __future__ import annotations

import json
from collections.abc import Mapping

from ragstead.ports.registry import GateVerdict, Provenance

MODEL = "ragstead"
"""The registered model whose versions are releases."""
EXPERIMENT = "ragstead releases"
"""The experiment that the models behind the versions belong to."""
MANIFEST = "artifacts/manifest.json"
"""The manifest's place in a model's files."""

RELEASE = "release"
"""Tag with the release's id: of versions and of runs."""
PROVENANCE = "provenance"
"""Tag of versions: where the release comes from, as JSON."""
GATE = "gate"
"""Tag of versions: `passed`, `refused` or `none`."""
GATE_VERDICT = "gate.verdict"
"""Tag of versions: the whole verdict, as JSON."""
PROMPT_VERSIONS = "prompts"
"""Tag of versions: the version of each prompt in the prompt registry, as JSON."""
TRAIL = "promotion."
"""Begins the tags of the registered model that make the audit trail: `promotion.000001`."""
EVALUATION = "evaluation."
"""Begins the tags of versions that name the newest run of each experiment: `evaluation.handbook`."""


def provenance_in(tags: Mapping[str, str]) -> Provenance:
    """Return where a release comes from; nothing is known of it where somebody wrote something else there."""
    try:
        return Provenance(**json.loads(tags[PROVENANCE]))
    except (KeyError, ValueError, TypeError):
        return Provenance()


def verdict_in(tags: Mapping[str, str]) -> GateVerdict | None:
    """Return the gate's verdict; None where there is none, or none that can be read."""
    try:
        return GateVerdict(**json.loads(tags[GATE_VERDICT]))
    except (KeyError, ValueError, TypeError):
        return None
