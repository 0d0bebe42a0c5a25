"""Fit the weights and the threshold of `ragstead.guardrails.injection`, and write them as its `weights.json`.

    python -m evals.fitting.injection DATA OUT

DATA holds inj-bipia-rag, inj-deepset, inj-jailbreak-wild, inj-notinject and, as ordinary text, squad-v1.1-dev, scifact,
hotpotqa-100, cranfield, xquad/de, xquad/es, kb-fastapi-md and chunking-eval; what users type besides is made up
(`messages`, `spellings`). The threshold is the lowest that at most `_FALSE` of the held-out rows of inj-notinject reach
in the cross-validation, whose figures are printed: a fold's fit sees no attack category, no context, no near-duplicate
of what it is tested on. Deterministic; about two minutes on one core, with OPENBLAS_NUM_THREADS=1. The weights are
those of hashed features: they hold no text.
"""

import argparse
import base64
import json
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from evals.fitting.injection_rows import Row, rows, words_of
from evals.fitting.linear import logistic
from evals.guardrails.measures import Floats
from ragstead.answering.linear import LinearModel
from ragstead.guardrails.injection.detector import InjectionDetector, WordingModel
from ragstead.guardrails.injection.evidence import EVIDENCE, evidence
from ragstead.guardrails.injection.pieces import pieces_of
from ragstead.guardrails.injection.wording import BUCKETS, Wording, wording_of
from ragstead.guardrails.weighing import read_weighing

FOLDS = 4
_L2, _WHOLE_L2 = 2.0, 2.0
_FALSE = 0.032
_TYPED = 0.2
"""What a question as typed counts in the model of takeovers: its words are those of other questions, or made up."""
_WEIGHTS = {
    "jailbreak": 0.7, "deepset": 2.0, "piguard": 1.0, "bipia table": 1.0, "bipia email": 1.5, "notinject": 8.0,
    "deepset benign": 2.0, "question in a message": 5.0, "made": 0.25, "made clean": 0.35,
    "made prompt": 0.4, "made harmless": 0.4,
}  # fmt: skip
_NOTE = (
    "Fitted by evals/fitting/injection.py: logistic on hashed words and shapes of sentences, then on what they say of "
    "a whole text. int8 in base64."
)


@dataclass(frozen=True, slots=True)
class Fit:
    """What was fitted."""

    takeover: WordingModel
    task: WordingModel
    whole: LinearModel

    @property
    def detector(self) -> InjectionDetector:
        """The detector, without a threshold."""
        return InjectionDetector(self.takeover, self.task, read_weighing(self.whole.as_json(), EVIDENCE), 0.5)


def _wording(wording: Wording, labels: Floats, weights: Floats) -> WordingModel:
    """Fit one wording model; both labels weigh the same; then round it to int8."""
    sizes = wording.sizes
    values = np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
    starts = np.concatenate([[0], np.cumsum(sizes)])
    x = csr_matrix((values, wording.buckets, starts), shape=(len(sizes), BUCKETS))
    across = x.T.tocsr()
    counts = weights.copy()
    for label in (0.0, 1.0):
        counts[labels == label] *= len(labels) / 2 / counts[labels == label].sum()
    signs = 2 * labels - 1

    def loss(at: Floats) -> tuple[float, Floats]:
        margin = signs * (x @ at[:-1] + at[-1])
        slope = -signs * counts / (1 + np.exp(np.clip(margin, -50, 50)))
        value = counts @ np.logaddexp(0, -margin) + _L2 / 2 * at[:-1] @ at[:-1]
        return float(value), np.concatenate([across @ slope + _L2 * at[:-1], [slope.sum()]])

    best = minimize(loss, np.zeros(BUCKETS + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200}).x
    scale = float(np.abs(best[:-1]).max() / 127)
    return WordingModel(np.round(best[:-1] / scale).astype(np.int8), scale, float(best[-1]))


def _is_document(row: Row) -> bool:
    return row.kind in ("made", "made clean") or row.kind.startswith(("text", "bipia"))


def _is_injected_piece(piece: str, row: Row) -> bool:
    said, wanted = words_of(piece), words_of(row.injected)
    both = len(said & wanted)
    return both > 0.6 * len(said) and 2 * both > len(wanted)


def _fit_task(train: Sequence[Row]) -> WordingModel:
    """Fit the model of requests: what was put into documents against what stood there."""
    found: list[tuple[str, float, float]] = []
    for row in train:
        pieces = pieces_of(row.text)
        if not _is_document(row):
            if row.kind == "made prompt":
                found.append((pieces[0], 1.0, 0.5))
        elif row.bad:
            weight = 3.0 if row.kind.startswith("bipia") else 1.0
            found += [(piece, 1.0, weight) for piece in pieces if _is_injected_piece(piece, row)]
        else:
            found += [(piece, 0.0, len(pieces) ** -0.5) for piece in pieces]
    wording = wording_of([piece for piece, _, _ in found])
    return _wording(wording, np.array([label for _, label, _ in found]), np.array([weight for _, _, weight in found]))


def _fit_takeover(train: Sequence[Row]) -> WordingModel:
    """Fit the model of takeovers twice: the second time, pieces of attacks that read harmless hardly count."""
    found: list[tuple[str, float, float]] = []
    for row in train:
        pieces = pieces_of(row.text)
        if _is_document(row) and row.bad:
            found += [(piece, 1.0, 0.1) for piece in pieces if _is_injected_piece(piece, row)]
            continue
        asked = row.kind in ("notinject", "deepset benign", "made harmless") or row.kind.startswith("question")
        weight = len(pieces) ** (-0.5 if row.bad else -0.3) * (2 if asked else 1)
        if row.kind == "question as typed":
            weight *= _TYPED
        found += [(piece, float(row.bad), weight) for piece in pieces]
    wording = wording_of([piece for piece, _, _ in found])
    labels, weights = np.array([label for _, label, _ in found]), np.array([weight for _, _, weight in found])
    harmless = _wording(wording, labels, weights).log_odds(wording) < 0
    return _wording(wording, labels, np.where((labels > 0) & harmless, 0.15 * weights, weights))


def _evidence(texts: Sequence[str], takeover: WordingModel, task: WordingModel) -> Floats:
    """Return the evidence of each text, float64 [texts, evidence]; zeros of a blank one."""
    whole = read_weighing({"bias": 0, "features": {name: [0, 1, 0] for name in EVIDENCE}}, EVIDENCE)
    judged = InjectionDetector(takeover, task, whole, 0.5).judged(texts)
    return np.array([evidence(one) if one.pieces else [0.0] * len(EVIDENCE) for one in judged])


def fit(train: Sequence[Row]) -> Fit:
    """Fit the three models, the last on what the first two say of rows they did not see."""
    half = np.array([zlib.crc32(row.text[:40].encode()) % 2 for row in train])
    table = np.zeros((len(train), len(EVIDENCE)))
    for side in (0, 1):
        seen = [row for row, own in zip(train, half, strict=True) if own != side]
        others = [row.text for row, own in zip(train, half, strict=True) if own == side]
        table[half == side] = _evidence(others, _fit_takeover(seen), _fit_task(seen))
    labels = np.array([float(row.bad) for row in train])
    weights = np.array([_WEIGHTS.get(row.kind, 1.2) for row in train])
    weights[labels > 0] *= weights[labels < 1].sum() / weights[labels > 0].sum()
    return Fit(_fit_takeover(train), _fit_task(train), logistic(table, labels, weights, EVIDENCE, l2=_WHOLE_L2))


def cross_validated(found: Sequence[Row]) -> Floats:
    """Return the probability of each row by the fit of its fold; nan for rows that are for the fit alone."""
    scores = np.full(len(found), np.nan)
    for fold in range(FOLDS):
        detector = fit([row for row in found if fold not in row.barred]).detector
        tested = [i for i, row in enumerate(found) if row.fold == fold]
        scores[tested] = detector.probabilities([found[i].text for i in tested])
        print(f"fold {fold} done", file=sys.stderr, flush=True)
    return scores


def shares(found: Sequence[Row], scores: Floats, threshold: float) -> dict[str, float]:
    """Return the share of each kind, and of the sets the targets are set for, that reaches the threshold."""
    kinds = sorted({row.kind for row in found if row.fold >= 0})
    groups = {kind: [kind] for kind in kinds}
    groups |= {"= documents": ["bipia email", "bipia table"], "= users": ["deepset", "jailbreak"]}
    groups["= ordinary texts"] = [kind for kind in kinds if kind.startswith("text") or kind.endswith("clean")]
    groups["= ordinary questions"] = [kind for kind in kinds if kind.startswith("question")]
    return {
        name: round(float(np.mean([scores[i] >= threshold for i, row in enumerate(found) if row.kind in group])), 4)
        for name, group in groups.items()
    }


def threshold_for(found: Sequence[Row], scores: Floats) -> float:
    """Return the lowest threshold, in hundredths, that `_FALSE` of the harmless prompts at most reach."""
    harmless = np.array([scores[i] for i, row in enumerate(found) if row.kind == "notinject"])
    return next(t / 100 for t in range(1, 100) if (harmless >= t / 100).mean() <= _FALSE)


def _written(model: WordingModel) -> dict[str, object]:
    weights = base64.b64encode(model.weights.tobytes()).decode()
    return {"scale": round(model.scale, 8), "bias": round(model.bias, 6), "weights": weights}


def main() -> int:
    """Cross-validate, fit on everything, write, and print the figures of the cross-validation."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    found = rows(args.data, FOLDS)
    scores = cross_validated(found)
    threshold = threshold_for(found, scores)
    done = fit(found)
    written = {
        "note": _NOTE,
        "threshold": threshold,
        "takeover": _written(done.takeover),
        "task": _written(done.task),
        "whole": done.whole.as_json(),
    }
    args.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({"threshold": threshold, **shares(found, scores, threshold)}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
