"""Has a judge give its opinion on the answers of a run, in one respect at a time."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ragstead.errors import InvalidRequest, Overloaded, Unavailable
from ragstead.evaluation.opinions import Coverage, Judging, with_opinions
from ragstead.evaluation.scoring import Scored
from ragstead.pipelines.in_turn import Progress, at_once
from ragstead.ports.judge import Judge, JudgedAnswer, Judgement

_log = logging.getLogger(__name__)
_UNREADABLE = "no repeat of the judge's verdict could be read"


@dataclass(frozen=True, slots=True)
class JudgingPlan:
    """How a run is judged.

    Attributes:
        judge: The judging model's name.
        respects: In which answers are judged.
        repeats: How often the judge asks itself.
        at_once: Opinions asked for at once.
        give_up: Failures in a row after which nothing more is asked.
    """

    judge: str
    respects: tuple[str, ...]
    repeats: int = 3
    at_once: int = 4
    give_up: int = 3


@dataclass(slots=True)
class _Account:
    """What became of the questions put to the judge."""

    opinions: dict[str, list[Judgement]] = field(default_factory=dict)
    troubles: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    trouble: str = ""


class AnswerJudging:
    """Judges answers; a judge that fails costs its opinion, and never the run.

    Refusals are not judged. Where the judge fails again and again it is not asked any more: what has no opinion then
    has the failure for its reason.

    Args:
        judge: Gives its opinion in the respects that an answer names.
        plan: How.
    """

    def __init__(self, judge: Judge, plan: JudgingPlan) -> None:
        self._judge = judge
        self._plan = plan

    async def judge(
        self, results: Sequence[Scored], answers: Mapping[str, JudgedAnswer], done: Progress
    ) -> tuple[list[Scored], Judging]:
        """Return the results with the opinions among their scores, and how far the judge came.

        Args:
            results: By question.
            answers: What is judged, by the questions' ids; those that are not there are not judged.
            done: Told how many opinions were asked for.
        """
        tasks = self.tasks(results, answers)
        account = _Account()

        async def one(task: tuple[str, str]) -> None:
            await self._ask(answers[task[0]], *task, account)

        await at_once(tasks, one, done, limit=self._plan.at_once)
        return with_opinions(results, account.opinions), self._judging(tasks, account)

    def tasks(self, results: Sequence[Scored], answers: Mapping[str, JudgedAnswer]) -> list[tuple[str, str]]:
        """Return what there is to judge: ids of questions, each with a respect that its answer has the parts for."""
        asked = [one.case_id for one in results if not one.refused and one.case_id in answers]
        return [(case, name) for case in asked for name in self._plan.respects if answers[case].has_parts_for(name)]

    async def _ask(self, answer: JudgedAnswer, case_id: str, respect: str, account: _Account) -> None:
        if account.failures >= self._plan.give_up:
            account.troubles.setdefault(respect, account.trouble)
            return
        try:
            given = await self._judge.judge(_in_respect(answer, respect))
        except (Unavailable, Overloaded) as error:
            account.failures += 1
            account.trouble = account.troubles[respect] = _word(error)
            _log.warning("the answer to %s is not judged in %s: %s", case_id, respect, error)
            return
        except InvalidRequest as error:  # too long for the judge, say: of this answer alone
            account.troubles[respect] = _word(error)
            return
        account.failures = 0
        if given:
            account.opinions.setdefault(case_id, []).extend(given)
        else:
            account.troubles[respect] = _UNREADABLE

    def _judging(self, tasks: Sequence[tuple[str, str]], account: _Account) -> Judging:
        judged = [one.name for given in account.opinions.values() for one in given]
        asked = [respect for _, respect in tasks]
        coverage = {
            name: Coverage(asked.count(name), judged.count(name), account.troubles.get(name, ""))
            for name in self._plan.respects
        }
        return Judging(self._plan.judge, self._plan.repeats, coverage)


def _in_respect(answer: JudgedAnswer, respect: str) -> JudgedAnswer:
    return replace(answer, respects=(respect,))


def _word(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
