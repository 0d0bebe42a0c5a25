"""Finished runs over judged queries: figures, table, plots and the TREC run, as experiments keep them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from ragstead.bootstrap.evaluation_runs import QUESTIONS, parameters_of
from ragstead.evaluation.kept_results import results_text
from ragstead.evaluation.ranked_queries import RankedQuery
from ragstead.evaluation.ranking import recall_curve
from ragstead.evaluation.run_tables import ranking_table
from ragstead.evaluation.scoring import Scored
from ragstead.ports.experiments import FinishedRun
from ragstead.settings import Settings

_ROUNDED = 1e-4
"""What figures of four digits may differ by."""
_DEPTHS = (1, 2, 3, 5, 10, 20, 30, 50, 70, 100)


@dataclass(frozen=True, slots=True)
class RankingRun:
    """A run over judged queries, as it ended.

    Attributes:
        run_id: Names it.
        name: Of the queries, which its experiment is called after.
        release: That searched.
        settings: Its pipeline.
        asked: How it was asked, beside that: collection, strategy.
        metrics: What it came to.
        ranked: What each query found.
        trec: The run as TREC has it.
        started_at: Unix seconds.
        seconds: How long it took.
    """

    run_id: str
    name: str
    release: str
    settings: Settings
    asked: Mapping[str, str]
    metrics: Mapping[str, float]
    ranked: Sequence[RankedQuery]
    trec: str
    started_at: float
    seconds: float

    @property
    def results(self) -> list[Scored]:
        """The scores by query."""
        return [one.scored for one in self.ranked]

    def disagreements(self) -> dict[str, tuple[float, float]] | None:
        """Return the measures that ir-measures gives another mean, its own first; None where it is not installed."""
        if find_spec("ir_measures") is None:
            return None
        from ragstead.adapters.ir_measures import mean_measures  # noqa: PLC0415  (of an extra, and slow)

        run = {one.query.query_id: one.ids for one in self.ranked}
        theirs = mean_measures(run, {one.query.query_id: one.query.relevant for one in self.ranked})
        return {
            name: (mean, self.metrics[name])
            for name, mean in theirs.items()
            if abs(mean - self.metrics[name]) > _ROUNDED
        }

    def kept(self) -> str:
        """Return the results as a file that a candidate may be held against."""
        return results_text(self.name, self.metrics, self.results, release=self.release)

    def finished(self) -> FinishedRun:
        """Return the run with parameters, metrics, table and plots."""
        words = {one.query.query_id: one.query.text for one in self.ranked}
        return FinishedRun(
            experiment=self.name,
            name=self.run_id,
            release_id=self.release,
            parameters={**parameters_of(self.settings), **{f"asked.{name}": word for name, word in self.asked.items()}},
            metrics=self.metrics,
            tables={QUESTIONS: ranking_table(self.results, words)},
            files={**self._plots(), "results.json": self.kept(), "run.trec": self.trec},
            tags={"kind": "ranking"},
            started_at=self.started_at,
            seconds=self.seconds,
        )

    def _plots(self) -> dict[str, bytes]:
        from ragstead.adapters.matplotlib import (  # noqa: PLC0415  (half a second, when it is needed)
            latency_histogram,
            recall_plot,
            share_histogram,
        )

        results = self.results
        curve = recall_curve([(one.ids, one.query.relevant) for one in self.ranked], _DEPTHS)
        drawn = {
            "recall.png": recall_plot(_DEPTHS, curve),
            "ndcg.png": share_histogram("nDCG@10", [one.scores["ndcg@10"].value for one in results]),
        }
        timed = [one.latency_ms for one in results if one.latency_ms is not None]
        return {**drawn, "latency.png": latency_histogram(timed)} if timed else drawn
