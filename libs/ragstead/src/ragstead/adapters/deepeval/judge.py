"""DeepEval's judged metrics on any chat model of ours, repeated, with their spread."""

from __future__ import annotations

import json
import statistics
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from deepeval.errors import DeepEvalError
from deepeval.metrics import (
    AnswerRelevancyMetric,
    BaseMetric,
    BiasMetric,
    ContextualPrecisionMetric,
    ContextualRecallMetric,
    FaithfulnessMetric,
    HallucinationMetric,
    PIILeakageMetric,
    ToxicityMetric,
)
from deepeval.models import DeepEvalBaseLLM
from deepeval.test_case import LLMTestCase
from pydantic import BaseModel, ValidationError

from ragstead.errors import InvalidRequest, Overloaded, Unavailable
from ragstead.ports.chat_model import ChatModel, ChatRequest
from ragstead.ports.generator import Message, Sampling
from ragstead.ports.judge import OPINIONS, JudgedAnswer, Judgement
from ragstead.streams import closing

Schema = TypeVar("Schema", bound=BaseModel)
_METRICS: Mapping[str, Callable[..., BaseMetric]] = {
    "faithfulness": FaithfulnessMetric,
    "answer_relevancy": AnswerRelevancyMetric,
    "contextual_precision": ContextualPrecisionMetric,
    "contextual_recall": ContextualRecallMetric,
    "hallucination": HallucinationMetric,
    "toxicity": ToxicityMetric,
    "bias": BiasMetric,
    "pii_leakage": PIILeakageMetric,
}
_TRIES = 2
_UNREADABLE = (DeepEvalError, ValueError, TypeError, KeyError, AttributeError)
"""What DeepEval raises where a model's words are not what it asked for."""


class JudgeModel(DeepEvalBaseLLM):  # type: ignore[no-untyped-call]
    """A chat model as DeepEval asks it: a prompt in, words or a checked object out.

    Args:
        model: What answers.
        max_tokens: Of one answer.
    """

    def __init__(self, model: ChatModel, max_tokens: int = 1024) -> None:
        self._chat = model
        self._sampling = Sampling(temperature=0, max_tokens=max_tokens)
        super().__init__(model.name)

    def load_model(self) -> JudgeModel:
        """Return itself: there is nothing to load."""
        return self

    def get_model_name(self) -> str:
        """Return the model's name as receipts have it."""
        return self._chat.name

    def generate(self, *_: object, **__: object) -> str:
        """Refuse: models are asked on an event loop alone.

        Raises:
            InvalidRequest: Always; DeepEval asks `a_generate` of metrics that are measured with `a_measure`.
        """
        raise InvalidRequest("a judge is asked on an event loop: use a metric's a_measure, or async_mode=True")

    async def a_generate(self, prompt: str, schema: type[Schema] | None = None) -> str | Schema:
        """Return the model's words; with a schema the object in them, asked for once more where there is none.

        Raises:
            ValueError: If the words hold no such object after the second try.
            Unavailable: If the model can't be reached.
        """
        if schema is None:
            return await self._words(prompt)
        trouble = ""
        for _ in range(_TRIES):
            words = await self._words(prompt + trouble)
            try:
                return schema.model_validate(json_in(words))
            except ValidationError as exc:
                told = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in exc.errors()[:3])
            except ValueError as exc:
                told = str(exc)
            trouble = f"\n\nYour last answer could not be read ({told}). Answer with the JSON object and nothing else."
        raise ValueError(f"{self._chat.name} gave no {schema.__name__}: {told}")

    async def _words(self, prompt: str) -> str:
        request = ChatRequest([Message("user", prompt)], self._sampling)
        async with aclosing(closing(self._chat.chat(request))) as pieces:
            return "".join([piece.text async for piece in pieces])


def json_in(words: str) -> Any:
    """Return the first JSON object in a model's words, whatever stands around it.

    Raises:
        ValueError: If there is none.
    """
    decoder = json.JSONDecoder()
    start = words.find("{")
    while start >= 0:
        try:
            return decoder.raw_decode(words, start)[0]
        except json.JSONDecodeError:
            start = words.find("{", start + 1)
    raise ValueError("no JSON object stands in it")


class DeepEvalJudge:
    """Is a `Judge` with DeepEval's metrics.

    Args:
        model: What judges.
        measures: Which of `OPINIONS`.
        repeats: How often each is asked.

    Raises:
        InvalidRequest: If a measure is unknown, or `repeats` is below 1.
    """

    def __init__(self, model: ChatModel, measures: Sequence[str] = OPINIONS, repeats: int = 3) -> None:
        strange = next((name for name in measures if name not in _METRICS), None)
        if strange is not None or repeats < 1:
            raise InvalidRequest(
                f"{strange or repeats!r}: judged measures are {', '.join(OPINIONS)}, repeated once or more"
            )
        self._model = JudgeModel(model)
        self._measures = tuple(measures)
        self._repeats = repeats

    async def judge(self, answer: JudgedAnswer) -> list[Judgement]:
        """Return its opinion in every respect that the answer has the parts for."""
        case = LLMTestCase(
            input=answer.question,
            actual_output=answer.answer,
            expected_output=answer.expected or None,
            context=list(answer.contexts) or None,
            retrieval_context=list(answer.contexts) or None,
        )
        asked = [name for name in self._measures if not answer.respects or name in answer.respects]
        fit = [name for name in asked if answer.has_parts_for(name)]
        judged = [await self._repeated(name, case) for name in fit]
        return [one for one in judged if one is not None]

    async def _repeated(self, name: str, case: LLMTestCase) -> Judgement | None:
        values, why = [], ""
        for _ in range(self._repeats):
            metric = _metric(name, self._model)
            try:
                values.append(float(await metric.a_measure(case, _show_indicator=False)))
            except (Unavailable, Overloaded):
                raise
            except _UNREADABLE:  # a verdict that can't be read is none; the next repeat may give one
                continue
            why = metric.reason or ""
        if not values:
            return None
        return Judgement(name, statistics.fmean(values), statistics.pstdev(values), len(values), why)


def _metric(name: str, model: JudgeModel) -> BaseMetric:
    with warnings.catch_warnings():  # they say that their scores point up now, as those of this port do
        warnings.filterwarnings("ignore", ".* now scores in the same direction", DeprecationWarning)
        return _METRICS[name](model=model, async_mode=True, include_reason=True)
