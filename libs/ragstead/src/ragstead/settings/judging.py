"""Which model judges the answers of evaluations."""

from __future__ import annotations

from pydantic import Field

from ragstead.settings.section import Section


class JudgingSettings(Section):
    """DeepEval's judged metrics, where `eval run` or the gate ask for them. Needs the extra `deepeval`."""

    model: str | None = None
    """Which of `deployment.generation.models` judges. A hosted one is shown nothing but answers from documents whose
    owner said `egress: allow`, of the collection or in the suite."""
    repeats: int = Field(3, ge=1, le=20)
    """How often it is asked in each respect; the score is the mean. Higher: steadier, slower, dearer."""
    at_once: int = Field(4, ge=1, le=64)
    """Opinions asked for at once."""
    timeout_s: float = Field(120.0, gt=0)
    """For one answer in one respect, all repeats of it; the first one's import of DeepEval is in it."""
    give_up: int = Field(3, ge=1)
    """Failures in a row, without an opinion between them, after which the judge is not asked any more."""
