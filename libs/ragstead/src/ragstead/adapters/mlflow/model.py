"""A release as MLflow's `pyfunc` model: questions in, answers with their citations out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import mlflow
from mlflow.pyfunc.model import PythonModel, PythonModelContext


class Answering(Protocol):
    """Answers questions by one release."""

    def answer(self, questions: Sequence[str], collection: str) -> list[dict[str, Any]]:
        """Return an answer for each question, in their order."""
        ...


Opened = Callable[[str, Mapping[str, Any]], Answering]
"""From the manifest's text and the model's configuration to what answers."""


class ReleaseModel(PythonModel):
    """Answers what it is asked: a list of questions, or a DataFrame with the one column `question`.

    `model_config` of `mlflow.pyfunc.load_model`: `url` of a platform that is asked over HTTP; `data_dir` whose
    platform is asked where one runs, and which is opened where none does (`.ragstead` where neither is given);
    `settings`, a configuration file for that; `api_key`; `collection`.

    Args:
        open_answering: Opens what answers, when the first question comes.
    """

    def __init__(self, open_answering: Opened) -> None:
        self._open = open_answering
        self._answering: Answering | None = None
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
        if self._answering is None:
            self._answering = self._open(self._manifest, self._config)
        return self._answering.answer(model_input, str(self._config.get("collection") or "default"))


def become_model(open_answering: Opened) -> None:
    """Tell MLflow, which runs the calling file as a model's code, what the model is."""
    mlflow.models.set_model(ReleaseModel(open_answering))
