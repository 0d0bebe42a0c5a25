"""Plots of evaluation runs as PNG, drawn without a display."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ragstead.calibration import ReliabilityBin, RiskCoveragePoint

_DOTS_PER_INCH = 110
_SIZE_INCHES = (5.2, 4.2)


def reliability_plot(bins: Sequence[ReliabilityBin]) -> bytes:
    """Return a PNG of what was observed over what was predicted; the diagonal is a probability that is one."""
    figure, axes = _figure("Reliability of p_supported", "predicted", "share that is answerable")
    axes.plot([0, 1], [0, 1], color="0.7", linestyle="--", linewidth=1)
    axes.plot([one.predicted for one in bins], [one.observed for one in bins], marker="o")
    for one in bins:
        axes.annotate(
            str(one.n), (one.predicted, one.observed), textcoords="offset points", xytext=(4, -10), fontsize=7
        )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    return _png(figure)


def risk_coverage_plot(points: Sequence[RiskCoveragePoint], area: float) -> bytes:
    """Return a PNG of the share of wrong answers over the share of questions answered."""
    figure, axes = _figure(f"Risk and coverage, area {area:.3f}", "share of questions answered", "share of them wrong")
    axes.plot([one.coverage for one in points], [one.risk for one in points])
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    return _png(figure)


def latency_histogram(latencies_ms: Sequence[float]) -> bytes:
    """Return a PNG of how many questions took how long."""
    figure, axes = _figure("Latency", "milliseconds", "questions")
    axes.hist(list(latencies_ms), bins=40)
    return _png(figure)


def recall_plot(depths: Sequence[int], recalls: Sequence[float]) -> bytes:
    """Return a PNG of the share of the relevant documents that stand among the first so many."""
    figure, axes = _figure("Recall", "documents", "mean recall")
    axes.plot(list(depths), list(recalls), marker=".")
    axes.set_xscale("log")
    axes.set_ylim(0, 1.02)
    return _png(figure)


def share_histogram(title: str, values: Sequence[float]) -> bytes:
    """Return a PNG of how many questions have which value in [0, 1]."""
    figure, axes = _figure(title, title, "questions")
    axes.hist(list(values), bins=20, range=(0, 1))
    return _png(figure)


def _figure(title: str, across: str, up: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE_INCHES, dpi=_DOTS_PER_INCH, layout="tight")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return figure, axes


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(out, format="png")
    return out.getvalue()
