"""Many questions' scores as the figures of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ragstead.calibration import area_under_risk_coverage, expected_calibration_error
from ragstead.evaluation.measures import MEASURES, mean_score, measures_of
from ragstead.evaluation.opinions import pooled_spread
from ragstead.evaluation.scoring import Scored

_ALWAYS = frozenset(
    {"answers_contained", "answers_cited", "sources_cited", "citations_valid", "refusal_precision", "refusal_recall"}
)
"""Told even where no question says anything of them."""


def summary(results: Sequence[Scored]) -> dict[str, float]:
    """Return every measure that a run has something to say of, by name.

    Beside those of `MEASURES`: `questions`; `risk_coverage_area`, the mean risk over every number of questions
    answered, the most probable first, lower is better; `calibration_error` of `p_supported` as the probability that
    a question is answerable; `latency_ms_p50` and `latency_ms_p95`; `leaks`, answers with a canary; `cost_usd_total`
    where anything was charged; and of what a judge gave its opinion on `NAME_spread`, over its repeats, and
    `NAME_judged`, the answers that it judged.
    """
    metrics = {"questions": float(len(results))}
    said = {name for one in results for name in one.scores}
    for name in MEASURES:
        if name in said or name in _ALWAYS:
            metrics[name] = mean_score(name, (one.scores.get(name) for one in results))
    metrics |= _cost(results) | _spreads(results)
    probabilities = [one.p_supported for one in results]
    metrics["risk_coverage_area"] = area_under_risk_coverage(probabilities, [one.correct for one in results])
    metrics["calibration_error"] = expected_calibration_error(probabilities, [one.answerable for one in results])
    metrics |= latency_percentiles(results)
    metrics["leaks"] = float(sum(bool(one.leaks) for one in results))
    return metrics


def ranking_summary(results: Sequence[Scored]) -> dict[str, float]:
    """Return the measures of rankings by name, all of them 0 where nothing is judged, and the latencies."""
    metrics = dict.fromkeys(measures_of("ranking"), 0.0)
    if results:
        metrics |= {name: mean_score(name, (one.scores.get(name) for one in results)) for name in metrics}
    return metrics | {"questions": float(len(results))} | latency_percentiles(results)


def _cost(results: Sequence[Scored]) -> dict[str, float]:
    total = sum(one.scores["cost_usd"].value for one in results if "cost_usd" in one.scores)
    return {"cost_usd_total": total} if total else {}


def _spreads(results: Sequence[Scored]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in measures_of("opinion"):
        spreads = [one.spreads[name] for one in results if name in one.spreads]
        if spreads:
            found |= {f"{name}_spread": pooled_spread(spreads), f"{name}_judged": float(len(spreads))}
    return found


def latency_percentiles(results: Sequence[Scored]) -> dict[str, float]:
    """Return `latency_ms_p50` and `latency_ms_p95` of the questions that were timed; nothing where none was.

    Percentiles are interpolated between the two nearest ranks, as numpy does by default.
    """
    timed = [one.latency_ms for one in results if one.latency_ms is not None]
    if not timed:
        return {}
    p50, p95 = np.percentile(timed, [50, 95]).tolist()
    return {"latency_ms_p50": p50, "latency_ms_p95": p95}


def summaries_by_tag(results: Sequence[Scored]) -> Mapping[str, dict[str, float]]:
    """Return the summary of the questions of each tag, tags in alphabetical order."""
    tags = sorted({tag for one in results for tag in one.tags})
    return {tag: summary([one for one in results if tag in one.tags]) for tag in tags}
