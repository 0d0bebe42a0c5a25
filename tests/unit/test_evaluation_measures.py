"""Measures of answers: hand-computed cases, properties, and independent implementations beside them."""

from __future__ import annotations

import collections
import re
import string

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragstead.calibration import area_under_risk_coverage
from ragstead.evaluation.answer_text import contains, exact_match, normalised, token_f1
from ragstead.evaluation.measures import MEASURES, Score, mean_score
from ragstead.evaluation.run_tables import question_table
from ragstead.evaluation.scoring import Scored, Yardstick, leaks_in, score_question
from ragstead.evaluation.suites import Case
from ragstead.evaluation.summaries import latency_percentiles, summaries_by_tag, summary
from ragstead.ports.evaluated import AnswerRecord, CitedQuote

WORDS = st.lists(st.sampled_from(["27", "days", "the", "leave", "year", "a", "Paid"]), max_size=8).map(" ".join)
QUOTE = CitedQuote(0, 12, "leave.md", "leave.md", "27 days", "27 days")


def whole(text: str) -> list[tuple[int, int]]:
    """Sentences end with a full stop, and nothing else does."""
    return [match.span() for match in re.finditer(r"[^.]+\.?", text) if match.group().strip()]


def carried(sentence: str, quotes: object) -> float:
    """A quote carries a sentence of which it is a part."""
    return max((float(quote in sentence) for quote in quotes), default=0.0)  # type: ignore[attr-defined]


YARDSTICK = Yardstick(carried, whole, ("CANARY-71f",))


def case(**more: object) -> Case:
    given = {"id": "q", "question": "How many?", "answers": ["27 days"], "sources": ["docs/leave.md"], **more}
    return Case.model_validate(given)


def answer(content: str = "Everyone has 27 days [1].", **more: object) -> AnswerRecord:
    return AnswerRecord(content, **{"refused": False, "p_supported": 0.8, "quotes": (QUOTE,), **more})  # type: ignore[arg-type]


def scored(record: AnswerRecord | None, ranked: list[str] | None = None, **more: object) -> Scored:
    return score_question(case(**more), record, ranked, YARDSTICK)


def test_normalised_text_has_no_marks_articles_punctuation_or_capitals() -> None:
    assert normalised("The  Office [2] opens at 9:30, a day.") == "office opens at 9 30 day"


def test_gold_words_count_only_in_one_piece_and_as_whole_words() -> None:
    assert contains("It is 27 days [1] a year", ["30 days", "27 days"])
    assert not contains("It is 127 days", ["27 days"])
    assert not contains("27 working days", ["27 days"])
    assert not contains("anything", ["", "the"])


def test_f1_of_a_hand_computed_answer() -> None:
    # 4 words against 2, 2 shared: precision 1/2, recall 1
    assert token_f1("paid are 27 days", ["27 days"]) == pytest.approx(2 * 0.5 * 1 / 1.5)
    assert token_f1("days days", ["days"]) == pytest.approx(2 / 3)
    assert token_f1("", ["27 days"]) == token_f1("27 days", []) == 0.0


def squad_f1(prediction: str, truth: str) -> float:
    """As SQuAD's own scorer computes it, after its own normalisation."""

    def tokens(text: str) -> list[str]:
        plain = "".join(char for char in text.lower() if char not in string.punctuation)
        return re.sub(r"\b(a|an|the)\b", " ", plain).split()

    said, wanted = tokens(prediction), tokens(truth)
    shared = sum((collections.Counter(said) & collections.Counter(wanted)).values())
    if not shared:
        return 0.0
    precision, recall = shared / len(said), shared / len(wanted)
    return 2 * precision * recall / (precision + recall)


@given(WORDS, WORDS)
def test_f1_equals_that_of_squads_scorer(prediction: str, truth: str) -> None:
    assert token_f1(prediction, [truth]) == pytest.approx(squad_f1(prediction, truth))


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_exact_match_is_contained_and_has_f1_of_one(prediction: str, gold: list[str]) -> None:
    if exact_match(prediction, gold):
        assert contains(prediction, gold)
        assert token_f1(prediction, gold) == 1.0


def test_right_answer_with_its_source_scores_full_marks() -> None:
    one = scored(answer(), ["x.md", "leave.md"])
    values = {name: score.value for name, score in one.scores.items()}
    assert one.correct
    assert values["answers_contained"] == values["sources_cited"] == values["citation_precision"] == 1.0
    assert values["citations_valid"] == values["groundedness"] == values["recall@10"] == 1.0
    assert values["mrr@10"] == 0.5
    assert values["words_per_answer"] == 5


def test_citation_precision_and_recall_of_a_hand_computed_answer() -> None:
    other = CitedQuote(0, 12, "pay.md", "pay.md", "paid", "paid")
    one = scored(answer(quotes=(QUOTE, other, QUOTE)), sources=["leave.md", "travel.md"])
    assert one.scores["citation_precision"].value == pytest.approx(2 / 3, abs=1e-6)
    assert one.scores["citation_recall"].value == 0.5


def test_quote_that_does_not_stand_there_is_counted_with_the_number_of_quotes() -> None:
    gone = CitedQuote(0, 12, "leave.md", "leave.md", "30 days", "27 days")
    assert scored(answer(quotes=(QUOTE, gone))).scores["citations_valid"] == Score(0.5, 2)
    nothing = CitedQuote(0, 12, "leave.md", "leave.md", "", "")
    assert not nothing.stands


def test_citations_that_the_server_dropped_count_as_fabricated() -> None:
    assert scored(answer(dropped_citations=3)).scores["citations_fabricated"] == Score(0.75, 4)
    assert "citations_fabricated" not in scored(answer(quotes=())).scores


def test_groundedness_is_the_mean_over_sentences_of_the_quotes_that_each_cites() -> None:
    one = scored(answer("Everyone has 27 days [1]. They are paid in full."))
    assert one.scores["groundedness"] == Score(0.5, 2)


def test_refusal_counts_for_precision_and_no_refusal_for_recall() -> None:
    refusal = AnswerRecord("I found nothing.", refused=True, p_supported=0.01)
    right = scored(refusal, answerable=False, answers=[], sources=[])
    wrong = scored(refusal)
    missed = scored(answer(), answerable=False, answers=[], sources=[])
    figures = summary([right, wrong, missed])
    assert figures["refusal_precision"] == figures["refusal_recall"] == 0.5
    assert (right.correct, wrong.correct, missed.correct) == (False, False, False)
    assert wrong.scores["answers_contained"].value == wrong.scores["citation_recall"].value == 0.0


def test_question_that_was_not_accepted_scores_nothing_and_is_not_timed() -> None:
    one = scored(None, [])
    assert one.refused
    assert one.latency_ms is None
    assert one.scores["answers_contained"].value == one.scores["ndcg@10"].value == 0.0


@pytest.mark.parametrize("shown", ["it is canary-71F", "c a n a r y 7 1 f", "CANARY_71F."])
def test_canary_is_found_whatever_its_case_spaces_and_signs(shown: str) -> None:
    assert leaks_in(answer(shown), ["CANARY-71f"]) == ("CANARY-71f",)


def test_canary_in_a_quote_is_a_leak_and_one_that_is_not_there_is_none() -> None:
    quote = CitedQuote(0, 1, "d", "d", "CANARY-71f", "CANARY-71f")
    assert scored(answer(quotes=(quote,))).leaks == ("CANARY-71f",)
    assert scored(answer("CANARY-72f")).leaks == ()


def test_weighted_mean_counts_each_citation_and_nothing_is_no_error() -> None:
    assert mean_score("citations_valid", [Score(1.0, 3), None, Score(0.0, 1)]) == 0.75
    assert mean_score("citations_valid", []) == 1.0
    assert mean_score("citations_fabricated", [None]) == 0.0


def test_latency_percentiles_are_interpolated_and_left_out_where_nothing_was_timed() -> None:
    timed = [scored(answer(latency_ms=float(ms))) for ms in (10, 20, 30, 40)]
    assert latency_percentiles(timed) == {"latency_ms_p50": 25.0, "latency_ms_p95": pytest.approx(38.5)}
    assert latency_percentiles([scored(None)]) == {}


def test_risk_coverage_area_of_a_run_is_that_of_its_questions() -> None:
    results = [scored(answer(p_supported=0.9)), scored(answer("no", p_supported=0.4))]
    # one answered: no risk; both: a half
    assert summary(results)["risk_coverage_area"] == pytest.approx((0 + 0.5) / 2)
    assert summary(results)["risk_coverage_area"] == area_under_risk_coverage([0.9, 0.4], [1, 0])


def test_measures_are_told_by_tag_too() -> None:
    results = [scored(answer(), id="a", tags=["x", "y"]), scored(answer("no"), id="b", tags=["y"])]
    by_tag = summaries_by_tag(results)
    assert [by_tag[tag]["answers_contained"] for tag in ("x", "y")] == [1.0, 0.5]


def test_every_measure_of_a_question_is_known_and_stands_in_the_table() -> None:
    one = scored(answer(), ["leave.md"])
    assert set(one.scores) <= set(MEASURES)
    table = question_table([one, scored(None, id="b")], {"q": "How many?"})
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert dict(zip(table.columns, table.rows[0], strict=True))["question"] == "How many?"
    assert np.isfinite([cell for cell in table.rows[0] if isinstance(cell, float)]).all()
