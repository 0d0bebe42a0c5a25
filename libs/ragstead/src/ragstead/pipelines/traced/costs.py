"""What a generation cost, on its span."""

from __future__ import annotations

from ragstead.ports.tracer import Span


def book_cost(step: Span, cost_usd: tuple[float, float] | None) -> None:
    """Book what reading and what writing cost; nothing where nobody knows."""
    if cost_usd is not None:
        step.cost_usd = sum(cost_usd)
        step.facts |= {"cost_usd.input": cost_usd[0], "cost_usd.output": cost_usd[1]}
