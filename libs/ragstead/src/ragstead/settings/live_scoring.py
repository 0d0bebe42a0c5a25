"""Which live answers are scored behind their askers' backs, and by what."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ragstead.settings.section import Section

LiveMeasure = Literal["groundedness", "citations_valid", "citations_fabricated", "answers_cited"]
"""Measures of ours that need neither a gold answer nor a model."""
LiveOpinion = Literal["faithfulness", "answer_relevancy", "hallucination", "toxicity", "bias", "pii_leakage"]
"""Those that a model judges, and that need no gold answer."""
_OPINIONS = frozenset(LiveOpinion.__args__)  # type: ignore[attr-defined]  # what the type was made of


class LiveScoringSettings(Section):
    """A sample of live answers is scored by DeepEval's metrics, and the scores land on their traces."""

    rate: float = Field(0.0, ge=0, le=1)
    """Part of the answers that are scored, chosen by their traces' ids; 0: none. Needs the extra `deepeval`."""
    metrics: tuple[LiveMeasure | LiveOpinion, ...] = Field(("groundedness", "citations_valid"), min_length=1)
    """What is scored; all but our own measures ask `judge`."""
    judge: str | None = None
    """Which of `deployment.generation.models` judges. A hosted one is shown nothing but answers of collections that say
    `egress: allow`."""
    repeats: int = Field(1, ge=1, le=10)
    """How often the judge is asked about one answer; the score is the mean. Higher: steadier, dearer."""
    max_waiting: int = Field(64, ge=1, le=10_000)
    """Answers that may wait to be scored; more are left out, and counted. Higher: fewer are, more memory."""
    timeout_s: float = Field(120.0, gt=0)
    """For what our measures, and for what the judge says of one answer; the first one's import of DeepEval is in it."""

    @property
    def measures(self) -> tuple[str, ...]:
        """Those of the metrics that need no model."""
        return tuple(name for name in self.metrics if name not in _OPINIONS)

    @property
    def opinions(self) -> tuple[str, ...]:
        """Those of the metrics that a model judges."""
        return tuple(name for name in self.metrics if name in _OPINIONS)

    @model_validator(mode="after")
    def _has_a_judge(self) -> LiveScoringSettings:
        if self.opinions and self.judge is None:
            raise ValueError(
                f"{', '.join(self.opinions)}: a model judges these; name one of generation.models as judge"
            )
        return self
