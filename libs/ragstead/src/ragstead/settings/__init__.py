"""THE settings: one YAML of two halves, read once, at the composition root.

`pipeline` is what an answer depends on, and is hashed into the release; `deployment` is where things run, and never is.
Secrets stand in it by reference alone: `env:NAME` or `file:PATH`.
"""

from __future__ import annotations

from ragstead.settings.deployment import AnswerCacheRule, AnswerCacheSettings, DeploymentSettings, usable_cores
from ragstead.settings.embedding_models import EMBEDDING_MODELS, EmbedderSettings, EmbeddingModelSettings
from ragstead.settings.embedding_service import EmbeddingServiceSettings
from ragstead.settings.generation import ChatModelSettings, GenerationSettings
from ragstead.settings.live_scoring import LiveScoringSettings
from ragstead.settings.loading import Settings, environment_for_traces, load_settings, resolve_secret
from ragstead.settings.mlflow import MlflowSettings
from ragstead.settings.pipeline import AnswerSettings, PipelineSettings
from ragstead.settings.tracing import LangfuseSettings, TracingSettings

__all__ = [
    "EMBEDDING_MODELS",
    "AnswerCacheRule",
    "AnswerCacheSettings",
    "AnswerSettings",
    "ChatModelSettings",
    "DeploymentSettings",
    "EmbedderSettings",
    "EmbeddingModelSettings",
    "EmbeddingServiceSettings",
    "GenerationSettings",
    "LangfuseSettings",
    "LiveScoringSettings",
    "MlflowSettings",
    "PipelineSettings",
    "Settings",
    "TracingSettings",
    "environment_for_traces",
    "load_settings",
    "resolve_secret",
    "usable_cores",
]
