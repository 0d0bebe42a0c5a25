"""What a ranking is worth against judgements: pure functions over document ids.

`ranked` holds ids, best first; only the first of repeated ids counts. `relevant` maps an id to its gain; ids
with a gain of 0 or less count as not relevant. A ranking without results scores 0, and so does a query that has
no relevant document.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

Measure = Callable[[Sequence[str], Mapping[str, int]], float]


def _distinct(ranked: Sequence[str], k: int) -> list[str]:
    return list(dict.fromkeys(ranked))[:k]


def _gains(relevant: Mapping[str, int]) -> dict[str, int]:
    return {document_id: gain for document_id, gain in relevant.items() if gain > 0}


def _dcg(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 2) for place, gain in enumerate(gains))


def ndcg(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int) -> float:
    """Normalised discounted cumulative gain of the first `k`, in [0, 1].

    ``sum(gain_i / log2(i + 1)) / ideal``, places from 1, gains linear.

    Source: Järvelin, Kekäläinen, TOIS 2002; as `ndcg_cut` of trec_eval.
    """
    gains = _gains(relevant)
    ideal = _dcg(sorted(gains.values(), reverse=True)[:k])
    found = _dcg([gains.get(document_id, 0) for document_id in _distinct(ranked, k)])
    return found / ideal if ideal else 0.0


def recall(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int) -> float:
    """Share of the relevant documents that stand among the first `k`."""
    gains = _gains(relevant)
    return len(gains.keys() & set(_distinct(ranked, k))) / len(gains) if gains else 0.0


def reciprocal_rank(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int) -> float:
    """One over the place of the first relevant document, 0 where the first `k` hold none."""
    gains = _gains(relevant)
    places = (place for place, document_id in enumerate(_distinct(ranked, k), 1) if document_id in gains)
    first = next(places, None)
    return 1 / first if first else 0.0


def hit(ranked: Sequence[str], relevant: Mapping[str, int], *, k: int) -> float:
    """1 where a relevant document stands among the first `k`, else 0."""
    return 1.0 if reciprocal_rank(ranked, relevant, k=k) else 0.0


STANDARD: Mapping[str, Measure] = {
    "ndcg@10": lambda ranked, gains: ndcg(ranked, gains, k=10),
    "recall@10": lambda ranked, gains: recall(ranked, gains, k=10),
    "recall@100": lambda ranked, gains: recall(ranked, gains, k=100),
    "mrr@10": lambda ranked, gains: reciprocal_rank(ranked, gains, k=10),
    "hit@1": lambda ranked, gains: hit(ranked, gains, k=1),
}
"""By name, in the order in which they are told."""


def mean_measures(run: Mapping[str, Sequence[str]], qrels: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Mean of each standard measure over every judged query; one that `run` lacks scores 0.

    Args:
        run: Document ids, best first, by query id.
        qrels: Gain by document id, by query id; queries without a positive gain are left out.

    Returns:
        `ndcg@10`, `recall@10`, `recall@100`, `mrr@10`, `hit@1`, in that order; all 0 where nothing is judged.
    """
    judged = {query_id: gains for query_id, gains in qrels.items() if is_judged(gains)}
    scores = [query_measures(run.get(query_id, ()), gains) for query_id, gains in judged.items()]
    return {name: math.fsum(one[name] for one in scores) / max(1, len(judged)) for name in STANDARD}


def is_judged(relevant: Mapping[str, int]) -> bool:
    """Return whether any document is relevant."""
    return bool(_gains(relevant))


def query_measures(ranked: Sequence[str], relevant: Mapping[str, int]) -> dict[str, float]:
    """Return each standard measure of one ranking, by name."""
    return {name: measure(ranked, relevant) for name, measure in STANDARD.items()}


def recall_curve(runs: Sequence[tuple[Sequence[str], Mapping[str, int]]], depths: Sequence[int]) -> list[float]:
    """Mean recall of rankings with their judgements at each depth; 0 where there are none."""
    return [math.fsum(recall(ranked, gains, k=k) for ranked, gains in runs) / max(1, len(runs)) for k in depths]
