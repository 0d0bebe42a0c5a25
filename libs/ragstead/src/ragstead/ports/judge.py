"""Opinions of a language model on answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ragstead.ports.evaluated import AnswerRecord

OPINIONS = (
    "faithfulness",
    "answer_relevancy",
    "contextual_precision",
    "contextual_recall",
    "hallucination",
    "toxicity",
    "bias",
    "pii_leakage",
)
"""Respects in which answers are judged; of each, higher is better."""
_OF_CONTEXT = frozenset({"faithfulness", "contextual_precision", "contextual_recall", "hallucination"})
_OF_GOLD = frozenset({"contextual_precision", "contextual_recall"})


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """An answer with what it is judged by.

    Attributes:
        question: What was asked.
        answer: What was said.
        contexts: The passages that it was said from, best first.
        expected: What a right answer says; empty where nobody knows.
        trace_id: Of the answer.
        record: The same answer with its citations; None where it has none that anybody knows of.
        collection: That was asked, by name or id; may be empty.
        respects: Those of the judge's in which it is judged; all of them where none is named.
    """

    question: str
    answer: str
    contexts: tuple[str, ...] = ()
    expected: str = ""
    trace_id: str = ""
    record: AnswerRecord | None = None
    collection: str = ""
    respects: tuple[str, ...] = ()

    def has_parts_for(self, respect: str) -> bool:
        """Return whether it has what an opinion in a respect asks for: passages, or a right answer."""
        return (respect not in _OF_CONTEXT or bool(self.contexts)) and (respect not in _OF_GOLD or bool(self.expected))


@dataclass(frozen=True, slots=True)
class Judgement:
    """An opinion in one respect.

    Attributes:
        name: Of the measure: `faithfulness` and the like.
        value: Mean over the repeats, in [0, 1]; higher is better, so of `toxicity` 1 is none.
        spread: Standard deviation over the repeats; 0 for one.
        repeats: How often it was asked and gave an answer that could be read, at least 1.
        why: The last repeat's reason; may be empty.
    """

    name: str
    value: float
    spread: float
    repeats: int
    why: str = ""


class Judge(Protocol):
    """Gives its opinion on answers; the same answer may be judged differently the next time."""

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        """Return its opinion in every respect that the answer has the parts for.

        Respects in which no repeat could be read are left out.

        Raises:
            Unavailable: If the model behind it can't be reached.
        """
        ...
