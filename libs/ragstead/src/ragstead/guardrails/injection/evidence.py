"""What a text as a whole says about its most suspicious piece."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from ragstead.guardrails.injection.pieces import oddness

Floats = NDArray[np.float64]

EVIDENCE = (
    "takeover_max", "takeover_second", "takeover_mean", "takeover_length", "single", "pieces",
    "task_single", "task_foreign", "task_apart", "task_table", "task_prose", "task_others", "task_overlap", "task_question", "task_brief",
    "takeover_foreign", "asking", "task_personal", "hidden", "encoded", "spaced", "capitals", "foreign_script",
)  # fmt: skip
"""Names of the numbers that `evidence` returns, in order."""

_CONTENT = re.compile(r"[^\W\d_]{4,}")
_PERSONAL = re.compile(r"\b(?:I|I'm|my|we|me|ich|mein\w*|wir|mich|mir)\b")
_CEILING = 6.0
_BRIEF_PIECES = 4
"""A message of a user's has no more, most often; in it a request stands beside a greeting or what it is asked for."""
_NO_LETTERS = bytes(one for one in range(128) if not chr(one).isalpha())
_NO_CAPITALS = bytes(one for one in range(128) if not chr(one).isupper())


@dataclass(frozen=True, slots=True)
class Judged:
    """A text's pieces and what the two models of a piece's wording say of each.

    Attributes:
        text: The whole text.
        pieces: Its pieces, at least one.
        takeover: Log-odds that a piece tells a model to drop or change what it was told, float64 [n].
        task: Log-odds that a piece asks for something, as no sentence of the document itself would, float64 [n].
    """

    text: str
    pieces: Sequence[str]
    takeover: Floats
    task: Floats


def evidence(judged: Judged) -> Floats:
    """Return the numbers named by `EVIDENCE`, float64 [len(EVIDENCE)]."""
    takeover, task = np.clip(judged.takeover, -_CEILING, _CEILING), np.clip(judged.task, -_CEILING, _CEILING)
    n = len(judged.pieces)
    ranked = np.sort(takeover)[::-1]
    top = [ranked[0], ranked[1] if n > 1 else ranked[0], ranked[:12].mean(), np.maximum(ranked, 0).sum() / 8]
    odd = oddness(judged.text)
    scripts = _scripts(judged.text)
    return np.array([*top, float(n == 1), log(n), *_task(judged, takeover, task), *odd, *scripts], dtype=np.float64)


def _scripts(text: str) -> tuple[float, float]:
    """Return the share of a text's letters that are capitals, and the share that are of no Latin script."""
    if text.isascii():
        spelt = text.encode()
        letters = max(1, len(spelt.translate(None, _NO_LETTERS)))
        return len(spelt.translate(None, _NO_CAPITALS)) / letters, 0.0
    found = [char for char in text if char.isalpha()] or ["a"]
    return sum(map(str.isupper, found)) / len(found), sum(char > "\u02ff" for char in found) / len(found)


def _task(judged: Judged, takeover: Floats, task: Floats) -> list[float]:
    """Return how far the piece that asks most stands apart from the others; a piece alone stands apart from nothing."""
    n = len(judged.pieces)
    best = int(task.argmax())
    if n == 1:
        return [float(task[0]), *[0.0] * 9, _asking(judged.pieces), 0.0]
    others = np.delete(task, best)
    piece = judged.pieces[best]
    rest = {word[:5] for i, one in enumerate(judged.pieces) if i != best for word in _CONTENT.findall(one.lower())}
    words = {word[:5] for word in _CONTENT.findall(piece.lower())}
    overlap = len(words & rest) / max(1, len(words))
    high = max(0.0, float(task[best]))
    table = judged.text.count("|") > 2 * n**0.5
    return [
        0.0,
        float(task[best]),
        float(task[best] - np.median(others)),
        high * table,
        high * (not table),
        float((others > 0).mean()),
        high * overlap,
        high * piece.endswith("?"),
        high * (n <= _BRIEF_PIECES),
        max(0.0, float(takeover[best])) + high,
        _asking(judged.pieces),
        high * len(_PERSONAL.findall(judged.text)) / n,
    ]


def _asking(pieces: Sequence[str]) -> float:
    return sum(piece.rstrip().endswith("?") for piece in pieces) / len(pieces)
