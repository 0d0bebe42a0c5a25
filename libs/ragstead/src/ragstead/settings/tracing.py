"""Where traces of answers are kept."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragstead.settings.section import SecretReference, Section


class LangfuseSettings(Section):
    """A project on a Langfuse server."""

    host: str = Field(pattern="^https?://")
    """Address of the server, without a path."""
    public_key: SecretReference
    secret_key: SecretReference


class TracingSettings(Section):
    """One trace for each answer, in Langfuse, in MLflow, or in both. Neither given: nothing is traced."""

    langfuse: LangfuseSettings | None = None
    mlflow: bool = True
    """Whether traces go to the MLflow that the platform has, beside it or by `deployment.mlflow.url`."""
    mlflow_url: str | None = Field(None, pattern="^https?://")
    """Address of another MLflow server, for its trace store."""
    experiment: str = Field("ragstead", min_length=1)
    """MLflow's experiment that traces are kept in; made where it is not there."""
    environment: str = Field("default", pattern=r"^[a-z0-9_-]{1,40}$")
    """Stands on every trace: `production`, `staging`... Langfuse wants none that begins with its own name."""
    contents: Literal["all", "sent", "none"] = "sent"
    """Questions, passages and answers that stand in traces. `sent`: all but those of conversations that the server
    keeps, as whoever deletes one of these can't delete its traces. `none`: lengths and ids alone."""
    redact: bool = True
    """Personal data is taken out of contents before they leave the process."""
    max_chars: int = Field(20_000, ge=100)
    """Of one text in a trace; the rest is cut off."""
    sample_rate: float = Field(1.0, ge=0, le=1)
    """Part of the traces that are kept; chosen by their ids, so that all services agree."""
    max_waiting: int = Field(20_000, ge=100)
    """Spans that may wait for a slow backend, in each of two processes. Higher: fewer are dropped, more memory."""
    interval_s: float = Field(1.0, gt=0)
    """Seconds for which traces are collected. Higher: fewer and larger requests, later traces."""
    timeout_s: float = Field(10.0, gt=0)
    """For one request to a backend."""
    shutdown_s: float = Field(3.0, ge=0)
    """For sending what waits when the platform ends."""

    @property
    def is_on(self) -> bool:
        """Whether anything keeps traces."""
        return self.langfuse is not None or self.mlflow_url is not None
