"""ir-measures: what a ranking is worth by somebody else's arithmetic, trec_eval's, to hold ours against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ir_measures
from ir_measures import RR, Measure, Qrel, R, ScoredDoc, Success, nDCG

_MEASURES: Mapping[str, Measure] = {
    "ndcg@10": nDCG @ 10,
    "recall@10": R @ 10,
    "recall@100": R @ 100,
    "mrr@10": RR @ 10,
    "hit@1": Success @ 1,
}


def mean_measures(run: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Return the mean of each standard measure over every judged query, by our names; one that `run` lacks scores 0.

    Args:
        run: Document ids, best first, by query id.
        qrels: Gain by document id, by query id; each query has a positive one.
    """
    judgements = [Qrel(query, one, max(0, gain)) for query, gains in qrels.items() for one, gain in gains.items()]
    results = [ScoredDoc(query, one, float(-place)) for query, ids in run.items() for place, one in enumerate(ids)]
    means = ir_measures.calc_aggregate(list(_MEASURES.values()), judgements, results)
    return {name: float(means[measure]) for name, measure in _MEASURES.items()}
