"""A release as MLflow's `pyfunc` model: questions in, answers with their citations out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext

Answering = Callable[[str, Mapping[str, Any], Sequence[str]], list[dict[str, Any]]]
"""From the manifest's text, the model's configuration and the questions to an answer for each."""


class ReleaseModel(PythonModel):
    """Answers what it is asked: a list of questions, or a DataFrame with the one column `question`.

    `model_config` of `mlflow.pyfunc.load_model`: `url` of a platform that is asked over HTTP; `data_dir` whose
    platform is asked where one runs, and which is opened where none does (`.ragstead` where neither is given);
    `settings`, a configuration file for that; `api_key`; `collection`.

    Args:
        answering: Answers.
    """

    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self._manifest = ""
        self._config: Mapping[str, Any] = {}

    def load_context(self, context: PythonModelContext) -> None:
        """Read the manifest; nothing is opened yet, so that loading a model costs nothing."""
        self._manifest = Path(context.artifacts["manifest"]).read_text("utf-8")
        self._config = dict(context.model_config or {})

    def predict(  # type: ignore[override]  # MLflow passes `params` where the signature has them alone
        self,
        context: PythonModelContext,  # noqa: ARG002
        model_input: list[str],
    ) -> list[dict[str, Any]]:
        """Return for each question `answer`, `refused`, `reason`, `p_supported`, `citations` and `release`."""
        return self._answering(self._manifest, self._config, model_input)


def become_model(answering: Answering) -> None:
    """Tell MLflow, which runs the calling file as a model's code, what the model is."""
    mlflow.models.set_model(ReleaseModel(answering))
