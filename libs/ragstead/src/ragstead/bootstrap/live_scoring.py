"""Opens what scores a sample of live answers: DeepEval's metrics on a thread of their own, the scores to the traces."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from importlib.util import find_spec

from ragstead.adapters.judge_thread import JudgeThread
from ragstead.bootstrap.chat_models import chat_models
from ragstead.bootstrap.judging import grounding, open_judge, quiet_deepeval
from ragstead.bootstrap.tracing import Tracing
from ragstead.errors import ConfigurationError, Overloaded
from ragstead.evaluation.scoring import Yardstick
from ragstead.model import Collection
from ragstead.pipelines.sample_scoring import SampleScoring, SamplingPlan
from ragstead.pipelines.sampled import JudgeElsewhere
from ragstead.ports.judge import Judge, Judgement
from ragstead.ports.tracer import Score, Tracer
from ragstead.sentences import spans
from ragstead.settings import Settings

_log = logging.getLogger(__name__)
SCORE_PREFIX = "deepeval_"
"""Before a metric's name on a trace, where other scores of the same name may stand."""
_PARAM = "deployment.live_scoring"


def open_live_scoring(
    settings: Settings, tracing: Tracing, find: Callable[[str], Awaitable[Collection]], stack: AsyncExitStack
) -> SampleScoring | None:
    """Return what scores a sample of the answers; None where none is wanted, or scores would have no place.

    DeepEval is imported with the first answer, on the thread that scores.

    Args:
        settings: Which answers, which metrics.
        tracing: Where the scores go.
        find: Finds a collection by name or id.
        stack: Closed when no more answers come; what waits is not scored any more.

    Raises:
        ConfigurationError: If DeepEval is not installed, or the judge is not described.
    """
    given = settings.deployment.live_scoring
    if not given.rate:
        return None
    if find_spec("deepeval") is None:
        raise ConfigurationError(
            f"{_PARAM} needs DeepEval, which is not installed: pip install 'ragstead[deepeval]'", param=f"{_PARAM}.rate"
        )
    away = _is_hosted(settings)
    if not tracing.is_on:
        _log.warning("live answers are not scored: nothing keeps traces, so that their scores have no place")
        return None
    quiet_deepeval()
    scoring = SampleScoring(
        _judges(settings, away, find, stack), _keeper(tracing.tracer), SamplingPlan(given.rate, given.max_waiting)
    )
    scoring.start()
    stack.push_async_callback(scoring.close)
    return scoring


def _is_hosted(settings: Settings) -> bool:
    """Whether the judge is another house's; checks that there is one where one is asked."""
    given = settings.deployment.live_scoring
    if not given.opinions or given.judge is None:
        return False
    models = chat_models(settings)
    if given.judge not in models:
        known = ", ".join(models) or "none yet"
        raise ConfigurationError(
            f"the judge {given.judge!r} is not described in deployment.generation.models ({known})",
            param=f"{_PARAM}.judge",
        )
    return models[given.judge].hosted


def _judges(
    settings: Settings, away: bool, find: Callable[[str], Awaitable[Collection]], stack: AsyncExitStack
) -> list[Judge]:
    given = settings.deployment.live_scoring

    def measured(_: AsyncExitStack) -> Judge:
        from ragstead.adapters.deepeval.measured import MeasuredJudge  # noqa: PLC0415  (slow, and on its thread)

        return MeasuredJudge(given.measures, Yardstick(grounding, spans))

    def opined(opened: AsyncExitStack) -> Judge:
        return open_judge(settings, given.judge or "", opened, measures=given.opinions, repeats=given.repeats)

    async def may_leave(collection: str) -> bool:
        return (await find(collection)).may_leave

    def on_thread(opened: Callable[[AsyncExitStack], Judge]) -> Judge:
        thread = JudgeThread(opened, given.timeout_s)
        stack.push_async_callback(thread.close)
        return thread

    judges = [on_thread(measured)] if given.measures else []
    if given.opinions:
        judge = on_thread(opined)
        judges.append(JudgeElsewhere(judge, may_leave) if away else judge)
    return judges


def _keeper(tracer: Tracer) -> Callable[[str, Judgement], Awaitable[None]]:
    async def keep(trace_id: str, judgement: Judgement) -> None:
        score = Score(trace_id, SCORE_PREFIX + judgement.name, judgement.value, comment=judgement.why)
        if not tracer.score(score):
            raise Overloaded("too many traces wait to be sent")

    return keep
