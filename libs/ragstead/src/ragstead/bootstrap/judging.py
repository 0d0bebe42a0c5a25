"""Opens judges: DeepEval, kept from reporting to anybody, on one of the configured models."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from ragstead.bootstrap.generation import open_chat_model
from ragstead.citations import read_claim
from ragstead.guardrails.groundedness import groundedness
from ragstead.ports.judge import OPINIONS, Judge
from ragstead.settings import Settings
from ragstead.settings.loading import set_for_libraries

if TYPE_CHECKING:
    from types import ModuleType


def grounding(sentence: str, quotes: Sequence[str]) -> float:
    """Probability that quotes together carry a sentence, as the guard sees it; 0 where there are none."""
    return groundedness(read_claim(sentence).words, quotes) if quotes else 0.0


def quiet_deepeval(folder: Path | None = None) -> None:
    """Let DeepEval, imported after this, report to nobody, read no `.env`, and keep its files out of the way.

    Args:
        folder: Where it may write; None for one of its own among the temporary files.
    """
    place = str(folder or Path(tempfile.gettempdir()) / "ragstead-deepeval")
    set_for_libraries(
        {
            "DEEPEVAL_TELEMETRY_OPT_OUT": "YES",
            "DEEPEVAL_UPDATE_WARNING_OPT_IN": "0",
            "DEEPEVAL_DISABLE_DOTENV": "1",
            "DEEPEVAL_DISABLE_LEGACY_KEYFILE": "1",
            "DEEPEVAL_CACHE_FOLDER": place,
            "DEEPEVAL_HOME": place,
            "CONFIDENT_API_KEY": "",
            "CONFIDENT_TRACING_ENABLED": "NO",
        }
    )


def deepeval_metrics() -> ModuleType:
    """Return `ragstead.adapters.deepeval.metrics`, with DeepEval kept quiet.

    Raises:
        ConfigurationError: If DeepEval is not installed; the message has the command.
    """
    quiet_deepeval()
    from ragstead.adapters.deepeval import metrics  # noqa: PLC0415  (reads the environment when it is imported)

    return metrics


def open_judge(
    settings: Settings, model: str, stack: AsyncExitStack, *, measures: Sequence[str] = (), repeats: int = 3
) -> Judge:
    """Return a judge on one of `deployment.generation.models`; closing the model goes on `stack`.

    Args:
        settings: Describe the model.
        model: What they call it.
        stack: Closed when nothing more is judged.
        measures: Which judged measures; all of them where none is named.
        repeats: How often each is asked.

    Raises:
        ConfigurationError: If DeepEval is not installed, or the model is not described.
        InvalidRequest: If a measure is unknown.
    """
    quiet_deepeval()
    from ragstead.adapters.deepeval.judge import DeepEvalJudge  # noqa: PLC0415  (reads the environment)

    chat = open_chat_model(settings, model, "judge.model", stack)
    return DeepEvalJudge(chat, tuple(measures) or OPINIONS, repeats)
