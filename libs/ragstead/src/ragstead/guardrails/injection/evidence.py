"""What a text as a whole says about its most suspicious piece."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import median

from ragstead.guardrails.injection.pieces import oddness

EVIDENCE = (
    "takeover_max", "takeover_second", "takeover_mean", "takeover_length", "takeover_among", "single", "pieces",
    "task_single", "task_foreign", "task_apart", "task_table", "task_prose", "task_others", "task_overlap", "task_question", "task_brief",
    "takeover_foreign", "asking", "task_personal", "hidden", "encoded", "spaced", "capitals", "foreign_script",
)  # fmt: skip
"""Names of the numbers that `evidence` returns, in order."""

_CONTENT = re.compile(r"[^\W\d_]{4,}")
_PERSONAL = re.compile(r"\b(?:I|I'm|my|we|me|ich|mein\w*|wir|mich|mir)\b")
_CEILING = 6.0
_WORST = 12
"""So many pieces are looked at for how suspicious a text is on average."""
_BRIEF_PIECES = 4
"""A message of a user's has no more, most often; in it a request stands beside a greeting or what it is asked for."""
_NO_LETTERS = bytes(one for one in range(128) if not chr(one).isalpha())
_NO_CAPITALS = bytes(one for one in range(128) if not chr(one).isupper())


@dataclass(frozen=True, slots=True)
class Judged:
    """A text's pieces and what the two models of a piece's wording say of each.

    Attributes:
        text: The whole text.
        pieces: Its pieces; none of a blank one.
        takeover: Log-odds that a piece tells a model to drop or change what it was told.
        task: Log-odds that a piece asks for something, as no sentence of the document itself would.
    """

    text: str
    pieces: Sequence[str]
    takeover: Sequence[float]
    task: Sequence[float]


def evidence(judged: Judged) -> list[float]:
    """Return the numbers named by `EVIDENCE`, of a text with at least one piece."""
    takeover, task = list(map(_clipped, judged.takeover)), list(map(_clipped, judged.task))
    n = len(judged.pieces)
    ranked = sorted(takeover, reverse=True)
    most = ranked[:_WORST]
    top = [ranked[0], ranked[min(1, n - 1)], sum(most) / len(most), sum(one for one in ranked if one > 0) / 8]
    said = [*_task(judged, takeover, task), *oddness(judged.text), *_scripts(judged.text)]
    return [*top, ranked[0] * log(n), float(n == 1), log(n), *said]


def _clipped(log_odds: float) -> float:
    return max(-_CEILING, min(_CEILING, log_odds))


def _scripts(text: str) -> tuple[float, float]:
    """Return the share of a text's letters that are capitals, and the share that are of no Latin script."""
    if text.isascii():
        spelt = text.encode()
        letters = max(1, len(spelt.translate(None, _NO_LETTERS)))
        return len(spelt.translate(None, _NO_CAPITALS)) / letters, 0.0
    found = [char for char in text if char.isalpha()] or ["a"]
    return sum(map(str.isupper, found)) / len(found), sum(char > "\u02ff" for char in found) / len(found)


def _task(judged: Judged, takeover: Sequence[float], task: Sequence[float]) -> list[float]:
    """Return how far the piece that asks most stands apart from the others; a piece alone stands apart from nothing."""
    n = len(judged.pieces)
    most = max(task)
    asking = sum(piece.rstrip().endswith("?") for piece in judged.pieces) / n
    if n == 1:
        return [most, *[0.0] * 9, asking, 0.0]
    best = task.index(most)
    others = [*task[:best], *task[best + 1 :]]
    apart = most - median(others)
    if most <= 0:  # nothing is asked for, and how would say nothing
        return [0.0, most, apart, *[0.0] * 6, max(0.0, takeover[best]), asking, 0.0]
    table = judged.text.count("|") > 2 * n**0.5
    return [
        0.0,
        most,
        apart,
        most * table,
        most * (not table),
        sum(other > 0 for other in others) / len(others),
        most * _overlap(judged.pieces, best),
        most * judged.pieces[best].endswith("?"),
        most * (n <= _BRIEF_PIECES),
        max(0.0, takeover[best]) + most,
        asking,
        most * len(_PERSONAL.findall(judged.text)) / n,
    ]


def _overlap(pieces: Sequence[str], own: int) -> float:
    """Return the share of the beginnings of a piece's words that are also in others."""
    stems = [{word[:5] for word in _CONTENT.findall(piece.lower())} for piece in pieces]
    others = set[str]().union(*stems[:own], *stems[own + 1 :])
    return len(stems[own] & others) / max(1, len(stems[own]))
