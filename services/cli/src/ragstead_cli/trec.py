"""TREC runs: `query Q0 document rank score tag`, one hit a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ragstead.errors import InvalidRequest

_STEP = 1e-9


def run_lines(query_id: str, ranked: Sequence[tuple[str, float]]) -> Iterator[str]:
    """Yield a query's lines, best first, with strictly falling scores: readers sort by score, and ties as they like.

    Raises:
        InvalidRequest: If an id holds white space, which separates the fields.
    """
    last = float("inf")
    for rank, (document_id, score) in enumerate(ranked, 1):
        last = min(score, last - _STEP)
        yield f"{_field('query', query_id)} Q0 {_field('document', document_id)} {rank} {last:.9f} ragstead\n"


def _field(kind: str, identifier: str) -> str:
    if not identifier or identifier.split() != [identifier]:
        raise InvalidRequest(f"{kind} id {identifier!r:.100} holds white space, which a TREC run can't; rename it")
    return identifier
