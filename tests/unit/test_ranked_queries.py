"""Judged queries: how they are searched, what they are worth, and what the gate says of them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragstead.bootstrap.ranking_runs import RankingRun
from ragstead.errors import InvalidRequest
from ragstead.evaluation.gate import judge
from ragstead.evaluation.ranked_queries import JudgedQuery, RankedQuery, RankedSet
from ragstead.evaluation.ranking import query_measures, recall_curve
from ragstead.evaluation.rules import GateRules
from ragstead.evaluation.run_tables import ranking_table
from ragstead.evaluation.summaries import ranking_summary
from ragstead.pipelines.rank_queries import RankingEvaluation
from ragstead.ports.evaluated import AnswerRecord, FoundPassage, SourceDocument
from ragstead.settings import Settings

QUERY = JudgedQuery("q", "leave", {"d1": 1})
THEIRS = {"ndcg@10": "nDCG@10", "recall@10": "R@10", "recall@100": "R@100", "mrr@10": "RR@10", "hit@1": "Success@1"}
IDS = st.sampled_from([f"d{i}" for i in range(120)])


class Shelf:
    """Finds passages of documents, a fixed number of each, and counts how many were asked for."""

    def __init__(self, documents: int, passages_each: int) -> None:
        self.found = [
            FoundPassage(f"d{n}", f"d{n}.txt", 1 - n / 1e4, "words")
            for n in range(documents)
            for _ in range(passages_each)
        ]
        self.asked: list[int] = []

    async def find(self, question: str, collection: str, k: int) -> list[FoundPassage] | None:
        self.asked.append(k)
        return None if question == "too long" else self.found[:k]

    async def ask(self, question: str, collection: str) -> AnswerRecord | None: ...
    async def take_in(self, collection: str, documents: Sequence[SourceDocument]) -> None: ...
    async def forget(self, collection: str) -> None: ...


def ranked(shelf: Shelf, query: JudgedQuery = QUERY) -> RankedQuery:
    return asyncio.run(RankingEvaluation("default").measure(shelf, [query], lambda _: None, limit=1))[0]


def test_more_passages_are_asked_for_until_there_are_documents_enough() -> None:
    shelf = Shelf(300, 3)
    found = ranked(shelf)
    assert found.ids == [f"d{n}" for n in range(100)]
    assert shelf.asked == [100, 200, 400]


def test_collection_without_more_is_not_asked_again() -> None:
    shelf = Shelf(5, 2)
    assert ranked(shelf).ids == [f"d{n}" for n in range(5)]
    assert shelf.asked == [100]


def test_passages_of_few_documents_are_asked_for_up_to_what_one_search_returns() -> None:
    shelf = Shelf(2, 700)
    assert ranked(shelf).ids == ["d0", "d1"]
    assert shelf.asked[-1] == 1000


def test_query_that_is_not_accepted_found_nothing_and_was_not_timed() -> None:
    found = ranked(Shelf(5, 1), JudgedQuery("q", "too long", {"d1": 1}))
    assert found.documents is None
    assert (found.scored.latency_ms, found.scored.scores["ndcg@10"].value) == (None, 0.0)


@settings(deadline=None)  # ir-measures loads its providers in the first example
@given(
    st.lists(IDS, unique=True, min_size=1, max_size=110),
    st.dictionaries(IDS, st.integers(0, 3), min_size=1).filter(lambda gains: any(gains.values())),
)
def test_measures_of_each_query_equal_those_of_ir_measures(run: list[str], gains: dict[str, int]) -> None:
    names = {ir_measures.parse_measure(theirs): ours for ours, theirs in THEIRS.items()}
    judgements = [ir_measures.Qrel("q", document, gain) for document, gain in gains.items()]
    results = [ir_measures.ScoredDoc("q", document, float(-place)) for place, document in enumerate(run)]
    theirs = {names[one.measure]: one.value for one in ir_measures.iter_calc(names, judgements, results)}
    assert query_measures(run, gains) == pytest.approx(theirs)
    scored = RankedQuery(JudgedQuery("q", "w", gains), [(one, 1.0) for one in run], 1.0).scored
    assert {name: score.value for name, score in scored.scores.items()} == pytest.approx(theirs, abs=1e-6)


def test_recall_by_depth_of_a_hand_computed_ranking() -> None:
    runs = [(["a", "x", "b"], {"a": 1, "b": 1}), (["y"], {"z": 1})]
    assert recall_curve(runs, [1, 3]) == [0.25, 0.5]
    assert recall_curve([], [1]) == [0.0]


def test_fingerprint_changes_with_words_and_judgements_alone() -> None:
    assert QUERY.fingerprint == JudgedQuery("other", "leave", {"d1": 1}).fingerprint
    assert len({QUERY.fingerprint, JudgedQuery("q", "leave", {"d1": 2}).fingerprint,
                JudgedQuery("q", "pay", {"d1": 1}).fingerprint}) == 3  # fmt: skip


def test_sample_is_the_same_each_time_and_keeps_the_order() -> None:
    queries = tuple(JudgedQuery(f"{n:03}", "w", {"d": 1}) for n in range(50))
    whole = RankedSet("s", queries, lambda: iter(()))
    few = whole.sampled(10)
    assert len(few.queries) == 10
    assert few == whole.sampled(10)
    assert [one.query_id for one in few.queries] == sorted(one.query_id for one in few.queries)
    assert whole.sampled(None) == whole.sampled(50) == whole


def test_set_without_a_relevant_document_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no query with a relevant document"):
        RankedSet("s", (JudgedQuery("q", "w", {"d": 0}),), lambda: iter(()))


def side(place: int, n: int = 60) -> list[RankedQuery]:
    """Queries whose one relevant document stands at a place, from 0."""
    documents = [(f"x{i}", 1.0) for i in range(20)]
    documents[place] = ("d1", 1.0)
    return [RankedQuery(JudgedQuery(f"q{i}", "w", {"d1": 1}), documents, 5.0) for i in range(n)]


def test_gate_refuses_a_worse_ranking_by_its_measures_and_says_nothing_of_answers() -> None:
    ours, theirs = ([one.scored for one in side(place)] for place in (3, 0))
    report = judge(ours, theirs, GateRules(resamples=2000), timed=True, kind="ranking")
    assert set(report.refused) == {"ndcg@10", "mrr@10"}
    outcomes = {one.name: one.outcome for one in report.findings}
    assert outcomes == {"ndcg@10": "refused", "mrr@10": "refused", "hit@1": "told", "recall@10": "passed",
                        "recall@100": "passed", "latency": "passed"}  # fmt: skip
    assert report.candidate["mrr@10"] == 0.25
    assert judge(ours, ours, GateRules(resamples=2000), timed=True, kind="ranking").passed


def test_summary_and_table_of_rankings_hold_no_columns_of_answers() -> None:
    results = [one.scored for one in side(1, 2)]
    assert ranking_summary(results) == {"ndcg@10": pytest.approx(0.63093), "recall@10": 1.0, "recall@100": 1.0,
                                        "mrr@10": 0.5, "hit@1": 0.0, "questions": 2.0, "latency_ms_p50": 5.0,
                                        "latency_ms_p95": 5.0}  # fmt: skip
    table = ranking_table(results, {"q0": "w"})
    assert list(table.columns) == [
        "id",
        "question",
        "latency_ms",
        "ndcg@10",
        "recall@10",
        "recall@100",
        "mrr@10",
        "hit@1",
    ]
    assert table.rows[0][:3] == ["q0", "w", 5.0]


def test_run_is_held_against_ir_measures_and_what_differs_is_named() -> None:
    ranked = [*side(1, 3), RankedQuery(JudgedQuery("none", "w", {"d1": 2, "d2": -1}), None, 1.0)]
    metrics = {name: round(value, 4) for name, value in ranking_summary([one.scored for one in ranked]).items()}
    run = RankingRun("id", "s", "r-1", Settings(), {}, metrics, ranked, "", 0.0, 1.0)
    assert run.disagreements() == {}
    wrong = replace(run, metrics={**metrics, "mrr@10": 0.5})
    assert wrong.disagreements() == {"mrr@10": (0.375, 0.5)}
