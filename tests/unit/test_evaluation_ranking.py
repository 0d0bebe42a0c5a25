import math

import ir_measures
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragstead.evaluation.ranking import hit, mean_measures, ndcg, recall, reciprocal_rank

NAMES = {
    "ndcg@10": "nDCG@10",
    "recall@10": "R@10",
    "recall@100": "R@100",
    "mrr@10": "RR@10",
    "hit@1": "Success@1",
}
IDS = st.sampled_from([f"d{i}" for i in range(30)])


def test_ndcg_of_a_hand_computed_ranking():
    # gains 0, 2, 1 at places 1, 2, 3 against the ideal 2, 1
    expected = (2 / math.log2(3) + 1 / math.log2(4)) / (2 + 1 / math.log2(3))
    assert ndcg(["x", "a", "b"], {"a": 2, "b": 1}, k=10) == pytest.approx(expected)


def test_reciprocal_rank_beyond_k_is_zero():
    assert reciprocal_rank(["x", "y", "a"], {"a": 1}, k=2) == 0.0
    assert reciprocal_rank(["x", "y", "a"], {"a": 1}, k=3) == pytest.approx(1 / 3)


def test_repeated_document_counts_once():
    assert recall(["x", "x", "a"], {"a": 1}, k=2) == 1.0
    assert ndcg(["a", "a"], {"a": 1}, k=2) == 1.0


def test_query_without_results_pulls_the_mean_down():
    assert mean_measures({"q1": ["a"]}, {"q1": {"a": 1}, "q2": {"b": 1}})["hit@1"] == 0.5


def test_judgement_of_zero_is_not_relevant_and_a_query_of_such_is_left_out():
    assert hit(["a"], {"a": 0}, k=1) == 0.0
    assert mean_measures({"q1": ["a"]}, {"q1": {"a": 1}, "q2": {"b": 0}})["hit@1"] == 1.0


def test_nothing_judged_gives_zeros():
    assert set(mean_measures({}, {}).values()) == {0.0}


@settings(deadline=None)  # ir-measures loads its providers in the first example
@given(
    st.dictionaries(st.sampled_from(["q1", "q2", "q3"]), st.lists(IDS, unique=True, min_size=1), max_size=3),
    st.dictionaries(
        st.sampled_from(["q1", "q2", "q3"]),
        st.dictionaries(IDS, st.integers(1, 3), min_size=1, max_size=8),
        min_size=1,
    ),
)
def test_means_equal_those_of_ir_measures(run, qrels):
    judgements = [ir_measures.Qrel(q, d, gain) for q, gains in qrels.items() for d, gain in gains.items()]
    results = [
        ir_measures.ScoredDoc(q, d, float(-place)) for q, ranked in run.items() for place, d in enumerate(ranked)
    ]
    measures = {name: ir_measures.parse_measure(theirs) for name, theirs in NAMES.items()}
    theirs = ir_measures.calc_aggregate(measures.values(), judgements, results)
    ours = mean_measures(run, qrels)
    assert ours == pytest.approx({name: theirs[measure] for name, measure in measures.items()})
