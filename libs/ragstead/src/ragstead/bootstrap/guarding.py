"""The guard that the settings ask for."""

from __future__ import annotations

from importlib import resources
from typing import Literal

from ragstead.guardrails.groundedness import shipped_groundedness
from ragstead.guardrails.injection import shipped_detector
from ragstead.guardrails.pii import PiiKind
from ragstead.pipelines.guard import GuardPlan, PolicyGuard
from ragstead.pipelines.reply_redaction import ReplyPolicy
from ragstead.ports.work_pool import WorkPool
from ragstead.releases import content_hash
from ragstead.settings import Settings


def open_guard(
    settings: Settings, pool: WorkPool, injection: Literal["off", "flag", "refuse"] | None = None
) -> PolicyGuard:
    """Return the guard with the detectors that come with the product.

    Args:
        settings: Whose policies it follows.
        pool: Where it works.
        injection: Its policy on what users write; None: that of the settings' pipeline.
    """
    given = settings.pipeline.guard
    plan = GuardPlan(
        injection=injection or given.injection,
        question_pii=given.question_pii,
        languages=given.languages,
        passages=given.passages,
        answer=given.answer,
        min_groundedness=given.min_groundedness,
        answer_pii=given.answer_pii,
        pii_kinds=frozenset(PiiKind(kind) for kind in given.pii_kinds),
    )
    return PolicyGuard(plan, shipped_detector(), shipped_groundedness(), pool)


def reply_policy(settings: Settings) -> ReplyPolicy | None:
    """Return which personal data is taken out of what a model says that a request names; None for none."""
    given = settings.pipeline.guard
    if given.answer_pii == "off":
        return None
    return ReplyPolicy(given.answer_pii, frozenset(PiiKind(kind) for kind in given.pii_kinds))


def guard_weights() -> dict[str, str]:
    """Return a hash of each detector's fitted numbers."""
    package = resources.files("ragstead.guardrails")
    return {
        name: content_hash((package / name / "weights.json").read_text("utf-8"))
        for name in ("groundedness", "injection")
    }
