"""Judges the answers of a run with DeepEval's metrics, on the model that the settings name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.util import find_spec

from ragstead.adapters.judge_thread import JudgeThread
from ragstead.bootstrap.chat_models import chat_models
from ragstead.bootstrap.judging import open_judge, quiet_deepeval
from ragstead.errors import ConfigurationError, Forbidden, InvalidRequest
from ragstead.evaluation.scoring import Scored
from ragstead.evaluation.suites import Case, Suite
from ragstead.guardrails.injection import shipped_detector
from ragstead.pipelines.judge_answers import AnswerJudging, JudgingPlan
from ragstead.ports.judge import OPINIONS, Judge, JudgedAnswer
from ragstead.settings import Settings, resolve_secret

_PARAM = "deployment.judging.model"
EVERY = "all"


def respects_named(words: str) -> tuple[str, ...]:
    """Return the respects of a list with commas between them; every one for `all`.

    Raises:
        InvalidRequest: If one of them is none.
    """
    names = tuple(dict.fromkeys(word.strip() for word in words.split(",") if word.strip()))
    if names == (EVERY,):
        return OPINIONS
    strange = next((name for name in names if name not in OPINIONS), None)
    if strange is not None or not names:
        told = f"{strange or words!r} is no judged measure: name some of {', '.join(OPINIONS)}, or {EVERY}"
        raise InvalidRequest(told, param="--judge")
    return names


def judging_plan(settings: Settings, respects: Sequence[str], *, may_leave: bool) -> JudgingPlan:
    """Return how a run is judged.

    Args:
        settings: Name and describe the model.
        respects: In which answers are judged.
        may_leave: Whether the owner of the documents said that hosted models may read them.

    Raises:
        ConfigurationError: If DeepEval is not installed, no model is named or described, or its key leads nowhere.
        Forbidden: If the model is hosted, and the documents are to stay.
    """
    given = settings.deployment.judging
    if find_spec("deepeval") is None:
        raise ConfigurationError("judged measures need DeepEval: pip install 'ragstead[deepeval]'", param=_PARAM)
    models = chat_models(settings)
    if given.model is None or given.model not in models:
        known = ", ".join(models) or "none yet"
        told = "no judge is named" if given.model is None else f"the judge {given.model!r} is not described"
        raise ConfigurationError(f"{told}; name one of deployment.generation.models ({known})", param=_PARAM)
    model = models[given.model]
    if model.api_key:
        resolve_secret(model.api_key)  # before anything is asked
    if model.hosted and not may_leave:
        raise Forbidden(
            f"the judge {given.model!r} is hosted, and nobody said that it may read the documents: say `egress: allow` "
            "in the suite, and in the collection's metadata where one is asked"
        )
    return JudgingPlan(model.model or given.model, tuple(respects), given.repeats, given.at_once, given.give_up)


@asynccontextmanager
async def open_answer_judging(settings: Settings, plan: JudgingPlan) -> AsyncIterator[AnswerJudging]:
    """Give what judges; DeepEval is imported with the first answer, on a thread that ends with the block."""
    given = settings.deployment.judging
    quiet_deepeval()

    def opened(stack: AsyncExitStack) -> Judge:
        return open_judge(settings, given.model or "", stack, measures=plan.respects, repeats=plan.repeats)

    thread = JudgeThread(opened, given.timeout_s)
    try:
        yield AnswerJudging(thread, plan)
    finally:
        await thread.close()


def evidence_below() -> float:
    """Return the probability of injection below which a passage is evidence, for the guard and for a judge."""
    return shipped_detector().threshold


def judged_answers(suite: Suite, results: Sequence[Scored], passages: int) -> Mapping[str, JudgedAnswer]:
    """Return a run's answers as a judge reads them, by question.

    Args:
        suite: What was asked.
        results: What was answered.
        passages: How many an answer is written from.
    """
    cases = {case.id: case for case in suite.questions}
    return {one.case_id: _judged(cases[one.case_id], one, passages) for one in results if one.case_id in cases}


def _judged(case: Case, one: Scored, passages: int) -> JudgedAnswer:
    return JudgedAnswer(
        case.question, one.answer, one.contexts[:passages], "; ".join(case.answers), one.trace_id or one.case_id
    )
