"""Where the answers of two models to one question are kept for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Written:
    """What one model made of a question, its words as they came, before they were checked.

    Attributes:
        model: Which.
        text: Its words; as far as it came where it failed.
        seconds: From the request to the last word.
        prompt_tokens: As the served model counts them; 0 where it did not say.
        completion_tokens: The same of its words.
        error: What went wrong; empty where nothing did.
    """

    model: str
    text: str
    seconds: float
    prompt_tokens: int = 0
    completion_tokens: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two answers to one question on the same passages.

    Attributes:
        at: When both were there.
        rule: The routing rule that asked for it.
        question: In words.
        chunk_ids: Of the passages, as they were numbered.
        answer: Of the model whose answer was shown.
        shadow: Of the other one.
        left_out: Copies not sent since the last comparison, as too many were on their way.
    """

    at: datetime
    rule: str
    question: str
    chunk_ids: Sequence[str]
    answer: Written
    shadow: Written
    left_out: int = 0


class ShadowLog(Protocol):
    """Keeps comparisons, the newest of them where there is no room for all."""

    async def add(self, comparison: Comparison) -> None:
        """Keep one.

        Raises:
            Unavailable: If it can't be written.
        """
        ...
