"""A judge's opinions on the answers of a run, and what the gate makes of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from ragstead.bootstrap.answer_judging import judging_plan, respects_named
from ragstead.bootstrap.judging import quiet_deepeval
from ragstead.errors import ConfigurationError, Forbidden, InvalidRequest, Unavailable
from ragstead.evaluation.gate import judge
from ragstead.evaluation.gate_opinions import JudgedSides
from ragstead.evaluation.gate_reports import GateHeading, gate_document, gate_markdown
from ragstead.evaluation.kept_results import read_results, results_text
from ragstead.evaluation.measures import Score, measures_of
from ragstead.evaluation.opinions import Coverage, Judging, kept_judging, pooled_spread, with_opinions
from ragstead.evaluation.rules import GateRules, read_rules
from ragstead.evaluation.run_tables import question_table
from ragstead.evaluation.scoring import Scored
from ragstead.evaluation.summaries import summary
from ragstead.pipelines.judge_answers import AnswerJudging, JudgingPlan
from ragstead.ports.judge import OPINIONS, JudgedAnswer, Judgement
from ragstead.settings import Settings

Says = Callable[[JudgedAnswer, int], Sequence[Judgement]]


def scored(case_id: str, *, refused: bool = False, **opinions: float) -> Scored:
    scores = {"answers_contained": Score(1.0), **{name: Score(value) for name, value in opinions.items()}}
    return Scored(case_id, "f", (), scores, 0.5, correct=True, refused=refused, spreads=dict.fromkeys(opinions, 0.1))


def answer(**more: object) -> JudgedAnswer:
    return replace(JudgedAnswer("How many?", "27 days", ("27 days",), "27 days"), **more)  # type: ignore[arg-type]


class Scripted:
    """Says of the nth answer what the script says."""

    def __init__(self, script: Says) -> None:
        self.script = script
        self.asked: list[JudgedAnswer] = []

    async def judge(self, answer: JudgedAnswer) -> Sequence[Judgement]:
        self.asked.append(answer)
        return self.script(answer, len(self.asked))


def judged(
    script: Says, results: Sequence[Scored], answers: Mapping[str, JudgedAnswer], *respects: str
) -> tuple[list[Scored], Judging, Scripted]:
    says, done = Scripted(script), []
    plan = JudgingPlan("judge", respects, repeats=2, at_once=1, give_up=3)
    found, came = asyncio.run(AnswerJudging(says, plan).judge(results, answers, done.append))
    assert done == list(range(1, len(done) + 1))
    return found, came, says


def mostly(answer: JudgedAnswer, _: int) -> Sequence[Judgement]:
    return [Judgement(answer.respects[0], 0.75, 0.25, 2)]


def down(*_: object) -> Sequence[Judgement]:
    raise Unavailable("judge", "it is down")


def test_adapter_judges_in_every_respect_that_there_is_a_measure_for() -> None:
    quiet_deepeval()
    from ragstead.adapters.deepeval import judge as adapter  # noqa: PLC0415  (after it was told to be quiet)

    assert tuple(adapter._METRICS) == OPINIONS == measures_of("opinion")


def test_opinions_stand_among_the_scores_with_their_spread_and_refusals_are_not_judged() -> None:
    results = [scored("a"), scored("b", refused=True)]
    found, came, says = judged(mostly, results, {"a": answer(), "b": answer()}, "bias", "faithfulness")
    assert [one.respects for one in says.asked] == [("bias",), ("faithfulness",)]
    assert found[0].scores["bias"] == Score(0.75)
    assert found[0].spreads == {"bias": 0.25, "faithfulness": 0.25}
    assert found[1] == results[1]
    assert came.coverage == {"bias": Coverage(1, 1), "faithfulness": Coverage(1, 1)}
    metrics = summary(found)
    assert (metrics["bias"], metrics["bias_spread"], metrics["bias_judged"]) == (0.75, 0.25, 1.0)
    table = question_table(found, {})
    assert dict(zip(table.columns, table.rows[0], strict=True))["faithfulness_spread"] == 0.25


def test_spread_of_a_run_is_the_pooled_one() -> None:
    assert pooled_spread([0.3, 0.4]) == pytest.approx(((0.09 + 0.16) / 2) ** 0.5)
    assert pooled_spread([]) == 0.0


def test_answer_without_passages_or_a_gold_answer_is_asked_about_in_what_it_has_the_parts_for() -> None:
    bare = answer(contexts=(), expected="")
    _, came, says = judged(mostly, [scored("a")], {"a": bare}, *OPINIONS)
    assert {one.respects[0] for one in says.asked} == {"answer_relevancy", "toxicity", "bias", "pii_leakage"}
    assert came.not_judged.keys() == set(OPINIONS) - {one.respects[0] for one in says.asked}


def test_judge_that_is_down_is_given_up_and_costs_the_run_nothing() -> None:
    results = [scored(f"q{n}") for n in range(10)]
    found, came, says = judged(down, results, {one.case_id: answer() for one in results}, "bias", "toxicity")
    assert len(says.asked) == 3
    assert found == results
    assert came.coverage["bias"] == Coverage(10, 0, "it is down")
    assert came.not_judged == {"bias": "it is down", "toxicity": "it is down"}
    assert "bias" not in summary(found)


def test_judge_that_fails_now_and_then_is_asked_on() -> None:
    def stumbles(answer: JudgedAnswer, n: int) -> Sequence[Judgement]:
        return down() if n % 3 else mostly(answer, n)

    results = [scored(f"q{n}") for n in range(9)]
    _, came, says = judged(stumbles, results, {one.case_id: answer() for one in results}, "bias")
    assert len(says.asked) == 9
    assert came.coverage["bias"] == Coverage(9, 3, "it is down")


def test_answer_that_is_too_long_for_the_judge_concerns_nobody_else() -> None:
    def narrow(answer: JudgedAnswer, n: int) -> Sequence[Judgement]:
        if n < 9:
            raise InvalidRequest("over the model's length")
        return mostly(answer, n)

    results = [scored(f"q{n}") for n in range(9)]
    _, came, _ = judged(narrow, results, {one.case_id: answer() for one in results}, "bias")
    assert came.coverage["bias"] == Coverage(9, 1, "over the model's length")


def test_verdicts_that_nobody_can_read_are_told_as_such() -> None:
    _, came, _ = judged(lambda *_: [], [scored("a")], {"a": answer()}, "bias")
    assert came.not_judged == {"bias": "no repeat of the judge's verdict could be read"}


def sides(share: float = 1.0, judge: str = "judge", trouble: str = "") -> JudgedSides:
    full, part = (Judging(name, 3, {"faithfulness": Coverage(100, round(100 * n), trouble)})
                  for name, n in (("judge", share), (judge, 1.0)))  # fmt: skip
    return JudgedSides(full, part)


RULES = GateRules(resamples=2000)
ADVISES = RULES.asking(["faithfulness"])
BLOCKS = GateRules(resamples=2000, measures={"faithfulness": {"blocks": True}})  # type: ignore[dict-item]
GOOD = [scored(f"q{n}", faithfulness=0.9) for n in range(60)]
WORSE = [scored(f"q{n}", faithfulness=0.3) for n in range(60)]


def finding(rules: GateRules, candidate: Sequence[Scored], champion: Sequence[Scored], judged: JudgedSides | None):  # type: ignore[no-untyped-def]
    report = judge(candidate, champion, rules, timed=False, judged=judged)
    return report, next(one for one in report.findings if one.name == "faithfulness")


def test_opinion_that_got_worse_advises_and_blocks_where_the_rules_say_so() -> None:
    report, found = finding(ADVISES, WORSE, GOOD, sides())
    assert (report.passed, found.outcome) == (True, "told")
    assert found.spread == (0.1, 0.1)
    assert "advises, 60 answers judged, spread 0.100 and 0.100" in found.says
    report, found = finding(BLOCKS, WORSE, GOOD, sides())
    assert report.refused == ("faithfulness",)
    assert found.difference is not None
    assert (round(found.difference.low, 6), round(found.difference.high, 6)) == (-0.6, -0.6)
    assert len(found.questions) == 60


def test_opinion_within_its_margin_passes_even_where_it_blocks() -> None:
    close = [scored(f"q{n}", faithfulness=0.86) for n in range(60)]
    assert finding(BLOCKS, close, GOOD, sides())[1].outcome == "passed"


def test_judge_that_failed_stops_nothing_that_advises_and_all_that_blocks() -> None:
    broken = sides(0.1, trouble="it is down")
    report, found = finding(ADVISES, GOOD, GOOD, broken)
    assert (report.passed, found.outcome) == (True, "skipped")
    assert found.says == "not judged: 10 of 100 of the candidate's answers have an opinion (it is down)"
    report, found = finding(BLOCKS, GOOD, GOOD, broken)
    assert report.refused == ("faithfulness",)
    assert found.says.endswith("(it is down); the rules say that it blocks")


def test_opinions_of_another_judge_or_of_none_are_not_compared() -> None:
    for judged_by, told in ((sides(judge="other"), "judged by other"), (sides(judge=""), "judged by nobody")):
        report, found = finding(ADVISES, WORSE, GOOD, judged_by)
        assert (report.passed, found.outcome) == (True, "skipped")
        assert told in found.says
    assert finding(ADVISES, WORSE, GOOD, None)[1].says == "not judged: no judge was asked"


def test_opinions_are_compared_where_both_sides_have_one() -> None:
    ours = [scored("q0", faithfulness=0.0), *(replace(one, scores={}, spreads={}) for one in GOOD[1:30]), *GOOD[30:]]
    _, found = finding(ADVISES, ours, GOOD, sides())
    assert "31 answers judged" in found.says
    assert found.champion == pytest.approx(0.9)


def test_reports_show_the_spread_and_the_interval_of_an_opinion() -> None:
    report, _ = finding(ADVISES, WORSE, GOOD, sides())
    heading = GateHeading("s", "r-new", "r-old", 1.0)
    row = next(one for one in gate_document(heading, report)["findings"] if one["name"] == "faithfulness")
    assert row["spread"] == [0.1, 0.1]
    assert row["difference"] == [-0.6, -0.6, -0.6]
    text = gate_markdown(heading, report, {})
    assert "| faithfulness | 0.3000 | 0.9000 | -0.6000 (-0.6000 to -0.6000) | told |" in text
    assert "spread 0.100" in text


def test_rules_of_opinions_advise_unless_they_say_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("measures: {faithfulness: {}, bias: {blocks: true, margin: 0.2}}")
    rules = read_rules(path)
    assert rules.opinions == ("faithfulness", "bias")
    assert (rules.measures["faithfulness"].blocks, rules.measures["faithfulness"].margin) == (False, 0.05)
    assert (rules.measures["bias"].blocks, rules.measures["bias"].margin) == (True, 0.2)
    more = rules.asking(["bias", "toxicity"])
    assert more.measures["bias"].blocks
    assert not more.measures["toxicity"].blocks
    assert GateRules().opinions == ()


def test_opinions_are_kept_with_who_judged_and_their_spread(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    results = with_opinions([scored("q")], {"q": [Judgement("bias", 0.5, 0.5, 2)]})
    path.write_text(results_text("s", {}, results, "judge-7b"))
    kept = read_results(path)
    assert (kept.judge, kept.results[0].spreads, kept.results[0].scores["bias"]) == (
        "judge-7b", {"bias": 0.5}, Score(0.5)
    )  # fmt: skip
    assert kept_judging(kept.judge, kept.results).coverage == {"bias": Coverage(1, 1)}
    plain = json.loads(results_text("s", {}, [replace(scored("q"), spreads={})]))
    assert "judge" not in plain  # files without opinions stay as they were
    assert "spreads" not in plain["questions"]["q"]


def test_respects_are_named_one_by_one_or_all_at_once() -> None:
    assert respects_named("all") == OPINIONS
    assert respects_named("bias, faithfulness,bias") == ("bias", "faithfulness")
    for words in ("magic", "", "all,bias"):
        with pytest.raises(InvalidRequest, match="no judged measure"):
            respects_named(words)


def settings_of(judging: Mapping[str, object], **model: object) -> Settings:
    models = {"big": {"base_url": "http://127.0.0.1:9/v1", **model}}
    return Settings.model_validate({"deployment": {"generation": {"models": models}, "judging": judging}})


def test_judge_that_can_not_be_asked_is_told_before_anything_is() -> None:
    with pytest.raises(ConfigurationError, match="no judge is named"):
        judging_plan(settings_of({}), ["bias"], may_leave=True)
    with pytest.raises(ConfigurationError, match="'small' is not described"):
        judging_plan(settings_of({"model": "small"}), ["bias"], may_leave=True)
    with pytest.raises(ConfigurationError, match="NO_SUCH_KEY"):
        judging_plan(settings_of({"model": "big"}, api_key="env:NO_SUCH_KEY"), ["bias"], may_leave=True)


def test_hosted_judge_reads_nothing_that_is_to_stay() -> None:
    hosted = settings_of({"model": "big"}, hosted=True)
    with pytest.raises(Forbidden, match="egress: allow"):
        judging_plan(hosted, ["bias"], may_leave=False)
    assert judging_plan(hosted, ["bias"], may_leave=True).judge == "big"
    assert judging_plan(settings_of({"model": "big"}, model="org/big"), ["bias"], may_leave=False).judge == "org/big"
