"""Fit the weights of sentence selection and of support, and write them as one JSON file.

    python -m evals.fitting.answering DATA OUT

DATA holds squad-v1.1-dev, squad-v2.0-dev-half, hotpotqa-100, scifact, cranfield, chunking-eval, xquad/en, xquad/de,
xquad/zh and kb-fastapi-md. OUT is `weights.json` of `ragstead.answering`, whose other parts are kept. Deterministic:
the same data and model give the same file. Takes some minutes on one core. Prints the figures for articles that were
held out, and writes those of support, with the curve that thresholds are read from, beside the weights.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evals.fitting.corpus import Example, Vectors, plain
from evals.fitting.linear import listwise
from evals.fitting.support import (
    OutOfFold,
    Set,
    SupportData,
    curve,
    figures,
    fine_columns,
    out_of_fold,
    reliability,
    sigmoid,
    table,
    topic_columns,
)
from evals.fitting.workshop import SHORTLIST, Workshop
from ragstead.answering.features import FEATURES, LEXICAL_FEATURES
from ragstead.answering.linear import LinearModel
from ragstead.answering.selection import Ranked, SelectionSettings, SentenceSelector, choose, is_brief
from ragstead.answering.threshold import error_curve
from ragstead.bootstrap.models import open_encoder
from ragstead.settings import Settings

_SELECTION_L2 = 1.0
_NOTE = (
    "Fitted by evals/fitting/answering.py. Sentences: listwise softmax on squad-v1.1-dev, labels are sentences that "
    "hold a gold answer in the gold paragraph. Support: topic = logistic, questions on their own collection against "
    "questions on another; fine = logistic on squad-v2.0-dev-half, both classes weighing the same, calibrated by a "
    "logistic function on articles held out; curve = [threshold, share of the answerable answered, error among the "
    "answers], reliability = [predicted, observed, questions], both on articles held out. "
    "Embedder all-MiniLM-L6-v2 int8."
)
_ON_TOPIC = (
    ("squad-v1.1-dev", "squad-v1.1-dev", 1500, 3.0),
    ("squad-v2.0-dev-half", "squad-v1.1-dev", 4000, 3.0),
    ("hotpotqa-100", "hotpotqa-100", 100, 1.0),
    ("chunking-eval", "chunking-eval", 250, 1.0),
    ("scifact", "scifact", 250, 1.0),
    ("cranfield", "cranfield", 120, 1.0),
    ("xquad/en", "xquad/en", 300, 1.0),
    ("xquad/de", "xquad/de", 200, 1.0),
    ("xquad/zh", "xquad/zh", 200, 1.0),
)
_OFF_TOPIC = (
    *(
        (name, "kb-fastapi-md", n, 1.0)
        for name, n in (("hotpotqa-100", 100), ("squad-v1.1-dev", 300), ("chunking-eval", 100))
    ),
    *(
        (name, "squad-v1.1-dev", n, 1.0)
        for name, n in (("hotpotqa-100", 100), ("scifact", 200), ("chunking-eval", 100), ("cranfield", 100))
    ),
    *((name, "scifact", n, 1.0) for name, n in (("hotpotqa-100", 100), ("squad-v1.1-dev", 250))),
    ("squad-v1.1-dev", "hotpotqa-100", 200, 1.0),
    ("squad-v1.1-dev", "cranfield", 150, 1.0),
    ("hotpotqa-100", "xquad/de", 100, 1.0),
    ("hotpotqa-100", "chunking-eval", 100, 1.0),
)


Models = dict[str, LinearModel]


def fit_selector(
    shop: Workshop, learned: Sequence[Example], near: Models | None = None
) -> tuple[SentenceSelector, Models]:
    """Fit both models of the selector; the second sees the shortlists that the first makes.

    `near` are the models of much the same questions, from whose weights the fit begins.
    """
    starts = {name: model.weights for name, model in (near or {}).items()}
    blocks, labels = [example.lexical for example in learned], [example.gold for example in learned]
    lexical = listwise(blocks, labels, LEXICAL_FEATURES, l2=_SELECTION_L2, start=starts.get("lexical"))
    blank = LinearModel(FEATURES, np.zeros(len(FEATURES)), np.ones(len(FEATURES)), np.zeros(len(FEATURES)))
    first = SentenceSelector(lexical, blank)
    blocks, labels = [], []
    for example in learned:
        short, cosines, places = shop.shortlist(first, example)
        blocks.append(first.rank(short, cosines).features)
        labels.append(example.gold[places])
    full = listwise(blocks, labels, FEATURES, l2=_SELECTION_L2, start=starts.get("full"))
    return SentenceSelector(lexical, full), {"lexical": lexical, "full": full}


class Judges:
    """Ranks each example by a selector that has not seen its article.

    Args:
        shop: What embeds.
        learned: The questions that selectors are fitted on.
        folds: The fold of each article that is held out in turn.
    """

    def __init__(self, shop: Workshop, learned: Sequence[Example], folds: dict[str, int]) -> None:
        self._shop = shop
        self.whole, self.models = fit_selector(shop, learned)
        self._of = {
            fold: fit_selector(shop, [e for e in learned if folds.get(e.group) != fold], self.models)[0]
            for fold in sorted(set(folds.values()))
        }

    def rank(self, fold: int, example: Example) -> Ranked:
        """Return the ranking by the selector fitted without `fold`, by the one fitted on everything for fold -1."""
        return self._shop.ranked(self._of.get(fold, self.whole), example)


def folds_of(learned: Sequence[Example], hard: Sequence[Example]) -> dict[str, int]:
    """Return the fold of each article: one for each of the hard questions' articles, the others spread over them."""
    named = sorted({example.group for example in hard})
    others = sorted({example.group for example in learned} - set(named))
    random.Random(1).shuffle(others)  # noqa: S311  (a split)
    return {name: i % len(named) for i, name in enumerate((*named, *others))}


def answered(
    judges: Judges, data: SupportData, found: OutOfFold, learned: Sequence[Example], folds: dict[str, int], at: float
) -> dict[str, float]:
    """Return what becomes of answerable questions of articles held out, where `at` is the threshold."""
    features = table(learned, folds, judges.rank)
    outcomes = []
    for fold in sorted(set(folds.values())):
        slope, intercept = found.calibration(fold)
        rows = np.flatnonzero(~features.outside(fold))
        topic = data.topic_model(fold).scores(topic_columns(features.features[rows]))
        fine = data.fine_model(fold).rescaled(slope, intercept).scores(fine_columns(features.features[rows]))
        for row, p in zip(rows.tolist(), (sigmoid(topic) * sigmoid(fine)).tolist(), strict=True):
            outcomes.append(_outcome(judges.rank(fold, learned[row]), learned[row], refused=p < at))
    contained, refused, brief = np.array(outcomes, dtype=np.float64).mean(axis=0).tolist()
    return {"contained": contained, "refused": refused, "brief": brief}


def _outcome(ranked: Ranked, example: Example, *, refused: bool) -> tuple[bool, bool, bool]:
    """(contains a gold answer and is not refused, refused, brief) as the acceptance check counts them."""
    if refused:
        return False, True, True
    text = " ".join(candidate.text for candidate in choose(ranked, SelectionSettings(shortlist=SHORTLIST)))
    answers = example.row.get("answers")
    wanted = [plain(str(answer)) for answer in answers] if isinstance(answers, list) else []
    return any(f" {answer} " in f" {plain(text)} " for answer in wanted if answer), False, is_brief(text, 45)


def written(value: object, depth: int = 0) -> str:
    """Return `value` as JSON, an object's members a line each and a list of numbers on one line."""
    if isinstance(value, dict):
        inner = ",\n".join(f"{' ' * (depth + 1)}{json.dumps(k)}: {written(v, depth + 1)}" for k, v in value.items())
        return f"{{\n{inner}\n{' ' * depth}}}"
    if isinstance(value, list) and value and isinstance(value[0], list):
        inner = ",\n".join(" " * (depth + 1) + json.dumps(row) for row in value)
        return f"[\n{inner}\n{' ' * depth}]"
    return json.dumps(value)


def main() -> int:
    """Fit, write, and print what was done."""
    args = _arguments()
    encoder = open_encoder(Settings())

    def embed(texts: Sequence[str]) -> Vectors:
        return encoder.encode(encoder.tokenize(texts, "passage", at_most=encoder.max_tokens))

    shop = Workshop(args.data, embed)
    learned = shop.questions("squad-v1.1-dev", "squad-v1.1-dev", 10**6)
    sets = [Set(True, w, shop.questions(name, where, n)) for name, where, n, w in _ON_TOPIC]
    sets += [Set(False, w, shop.questions(name, where, n)) for name, where, n, w in _OFF_TOPIC]
    hard = sets[1].examples
    folds = folds_of(learned, hard)
    _say(f"{sum(len(one.examples) for one in sets) + len(learned)} questions searched")
    judges = Judges(shop, learned, folds)
    _say(f"{max(folds.values()) + 2} selectors fitted")
    tables = [table(one.examples, folds, judges.rank) for one in sets]
    data = SupportData(
        [(rows, one.on_topic, one.weight) for rows, one in zip(tables, sets, strict=True)],
        tables[1],
        np.array([float(example.answerable) for example in hard]),
    )
    _say("features computed")
    found = out_of_fold(data)
    rows = curve(found)
    measured = {name: round(value, 4) for name, value in figures(found).items()}
    support = {
        "topic": data.topic_model().as_json(),
        "fine": data.fine_model().rescaled(*found.calibration()).as_json(),
        "measured": measured,
        "reliability": reliability(found),
        "curve": rows,
    }
    kept: dict[str, object] = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    sentences = {name: model.as_json() for name, model in judges.models.items()}
    kept.update(note=_NOTE, sentences=sentences, support=support)
    args.out.write_text(written(kept) + "\n", encoding="utf-8")
    at = error_curve(support).keeping(Settings().pipeline.answer.min_answered)
    shares = answered(judges, data, found, learned, folds, at)
    print(json.dumps({**measured, "threshold": at, **{k: round(v, 4) for k, v in shares.items()}}))
    return 0


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
