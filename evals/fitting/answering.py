"""Fit the weights of sentence selection and of support, and write them as one JSON file.

    python -m evals.fitting.answering DATA OUT [--report]

DATA holds squad-v1.1-dev, squad-v2.0-dev-half, hotpotqa-100, scifact, cranfield, chunking-eval, xquad/en, xquad/de,
xquad/zh and kb-fastapi-md. OUT is `weights.json` of `ragstead.answering`, whose other parts are kept. Deterministic:
the same data and model give the same file. Takes about 15 minutes on two cores. With `--report`, also the figures for
articles that were held out.
"""

import argparse
import json
import random
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from evals.fitting.corpus import Embed, Example, Index, Vectors, examples, plain, rows
from evals.fitting.linear import listwise, logistic
from ragstead.answering.features import FEATURES, LEXICAL_FEATURES, Floats
from ragstead.answering.linear import LinearModel
from ragstead.answering.selection import Ranked, SelectionSettings, SentenceSelector, Shortlist, choose, is_brief
from ragstead.answering.support import SupportModel
from ragstead.answering.support_features import FINE_FEATURES, TOPIC_FEATURES, Evidence, support_features
from ragstead.bootstrap.models import open_encoder
from ragstead.settings import Settings

SHORTLIST = 12
THRESHOLD = 0.08
_SELECTION_L2, _TOPIC_L2, _FINE_L2 = 1.0, 1.0, 200.0
_NOTE = (
    "Fitted by evals/fitting/answering.py. Sentences: listwise softmax on squad-v1.1-dev, labels are sentences that "
    "hold a gold answer in the gold paragraph. Support: topic = logistic, questions on their own collection against "
    "questions on another; fine = logistic on squad-v2.0-dev-half, both classes weighing the same. "
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


@dataclass(frozen=True, slots=True)
class Set:
    """Examples that count together `weight` in the fit of the topic model."""

    on_topic: bool
    weight: float
    examples: list[Example]


class Workshop:
    """Builds examples, embedding each text once."""

    def __init__(self, data: Path, embed: Embed) -> None:
        self._data = data
        self._raw = embed
        self._known: dict[str, Floats] = {}
        self._indexes: dict[str, Index] = {}

    def embed(self, texts: Sequence[str]) -> Floats:
        """Return the vectors of `texts`, remembered."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if new:
            self._known.update(zip(new, self._raw(new), strict=True))
        return np.array([self._known[text] for text in texts])

    def questions(self, name: str, collection: str, limit: int) -> list[Example]:
        """Return up to `limit` questions of data set `name`, searched in `collection`."""
        if collection not in self._indexes:
            self._indexes[collection] = Index(self._data / collection, self._raw)
        asked = rows(self._data / name / "queries.jsonl")
        random.Random(7).shuffle(asked)  # noqa: S311  (a sample)
        return examples(
            self._indexes[collection], asked[:limit], self._raw, _gold(self._data / name) if name == collection else {}
        )

    def shortlist(self, selector: SentenceSelector, example: Example) -> tuple[Shortlist, Floats, list[int]]:
        """Return the shortlist of an example, its cosines, and the indices of its sentences."""
        short = selector.shortlist(example.question, example.passages, SHORTLIST)
        place = {(c.passage, c.position): i for i, c in enumerate(example.found)}
        cosines = self.embed(short.texts).astype(np.float64) @ example.vector.astype(np.float64)
        return short, cosines, [place[c.passage, c.position] for c in short.found]

    def ranked(self, selector: SentenceSelector, example: Example) -> Ranked:
        """Rank an example's sentences as the product does."""
        short, cosines, _ = self.shortlist(selector, example)
        return selector.rank(short, cosines)


def _gold(folder: Path) -> dict[str, str]:
    qrels = folder / "qrels" / "dev.tsv"
    lines = qrels.read_text(encoding="utf-8").splitlines() if qrels.exists() else []
    return {line.split()[0]: line.split()[1] for line in lines}


def fit_selector(shop: Workshop, learned: Sequence[Example]) -> tuple[SentenceSelector, dict[str, LinearModel]]:
    """Fit both models of the selector; the second sees the shortlists that the first makes."""
    blocks = [example.lexical for example in learned]
    lexical = listwise(blocks, [example.gold for example in learned], LEXICAL_FEATURES, l2=_SELECTION_L2)
    blank = LinearModel(FEATURES, np.zeros(len(FEATURES)), np.ones(len(FEATURES)), np.zeros(len(FEATURES)))
    first = SentenceSelector(lexical, blank)
    blocks, labels = [], []
    for example in learned:
        short, cosines, places = shop.shortlist(first, example)
        blocks.append(first.rank(short, cosines).features)
        labels.append(example.gold[places])
    full = listwise(blocks, labels, FEATURES, l2=_SELECTION_L2)
    return SentenceSelector(lexical, full), {"lexical": lexical, "full": full}


def table(shop: Workshop, selector: SentenceSelector, items: Iterable[Example], names: Sequence[str]) -> Floats:
    """Return support features, one row an example."""
    found = []
    for item in items:
        values = support_features(Evidence(item.question, item.counts, item.passages, shop.ranked(selector, item)))
        found.append([values[name] for name in names])
    return np.array(found)


def fit_topic(shop: Workshop, selector: SentenceSelector, sets: Sequence[Set]) -> LinearModel:
    """Fit the model that tells questions on the collection's topic from others; both kinds weigh the same."""
    features = np.vstack([table(shop, selector, group.examples, TOPIC_FEATURES) for group in sets])
    labels = np.concatenate([np.full(len(group.examples), float(group.on_topic)) for group in sets])
    weights = np.concatenate([np.full(len(group.examples), group.weight / len(group.examples)) for group in sets])
    for label in (0.0, 1.0):
        weights[labels == label] *= 1000 / weights[labels == label].sum()
    return logistic(features, labels, weights, TOPIC_FEATURES, l2=_TOPIC_L2)


def fit_fine(features: Floats, labels: Floats) -> LinearModel:
    """Fit the model that tells answered questions from those that only share words; both kinds weigh the same."""
    share = labels.mean()
    weights = np.where(labels > 0, 0.5 / share, 0.5 / (1 - share))
    return logistic(features, labels, weights, FINE_FEATURES, l2=_FINE_L2)


def report(
    shop: Workshop, learned: list[Example], hard: list[Example], sets: Sequence[Set], folds: int = 4
) -> dict[str, float]:
    """Return figures for held-out articles: everything is fitted anew without them."""
    groups = sorted({example.group for example in learned})
    random.Random(1).shuffle(groups)  # noqa: S311  (a split)
    outcomes: list[tuple[bool, bool, bool]] = []
    pairs: list[tuple[float, float]] = []
    for fold in range(folds):
        out = set(groups[fold::folds])
        selector, _ = fit_selector(shop, [e for e in learned if e.group not in out])
        kept = [e for e in hard if e.group not in out]
        fine = fit_fine(table(shop, selector, kept, FINE_FEATURES), np.array([float(e.answerable) for e in kept]))
        held = [Set(s.on_topic, s.weight, [e for e in s.examples if e.group not in out]) for s in sets]
        judge = SupportModel(fit_topic(shop, selector, [s for s in held if s.examples]), fine)
        outcomes += [_outcome(shop, selector, judge, e) for e in learned if e.group in out]
        for e in (e for e in hard if e.group in out):
            support = judge.judge(e.question, e.counts, e.passages, shop.ranked(selector, e))
            pairs.append((support.p_supported, float(e.answerable)))
    contained, refused, brief = np.array(outcomes, dtype=np.float64).mean(axis=0)
    scored = np.array(pairs)
    auc = _auc(scored[scored[:, 1] > 0, 0], scored[scored[:, 1] < 1, 0])
    return {
        "contained": contained,
        "refused": refused,
        "brief": brief,
        "auc": auc,
        "calibration_error": _calibration_error(scored),
    }


def _outcome(
    shop: Workshop, selector: SentenceSelector, judge: SupportModel, example: Example
) -> tuple[bool, bool, bool]:
    """(contains a gold answer and is not refused, refused, brief) as the acceptance check counts them."""
    ranked = shop.ranked(selector, example)
    if judge.judge(example.question, example.counts, example.passages, ranked).refusal(THRESHOLD):
        return False, True, True
    text = " ".join(candidate.text for candidate in choose(ranked, SelectionSettings(shortlist=SHORTLIST)))
    answers = example.row.get("answers")
    wanted = [plain(str(answer)) for answer in answers] if isinstance(answers, list) else []
    return any(f" {answer} " in f" {plain(text)} " for answer in wanted if answer), False, is_brief(text, 45)


def _auc(positive: Floats, negative: Floats) -> float:
    return float(np.mean([np.mean(p > negative) + 0.5 * np.mean(p == negative) for p in positive]))


def _calibration_error(scored: Floats) -> float:
    """Equal-mass expected calibration error, ten bins, over a sample with as many of either label."""
    rng = np.random.default_rng(0)
    n = int(min(scored[:, 1].sum(), (1 - scored[:, 1]).sum()))
    halves = [rng.choice(np.flatnonzero(scored[:, 1] == label), n, replace=False) for label in (0, 1)]
    balanced = scored[np.concatenate(halves)]
    ordered = balanced[np.argsort(balanced[:, 0], kind="stable")]
    return sum(abs(float((bin_[:, 0] - bin_[:, 1]).sum())) for bin_ in np.array_split(ordered, 10)) / len(ordered)


def main() -> int:
    """Fit, write, and print what was done."""
    args = _arguments()
    encoder = open_encoder(Settings())

    def embed(texts: Sequence[str]) -> Vectors:
        return encoder.encode(encoder.tokenize(texts, "passage", at_most=encoder.max_tokens))

    shop = Workshop(args.data, embed)
    learned = shop.questions("squad-v1.1-dev", "squad-v1.1-dev", 10**6)
    selector, models = fit_selector(shop, learned)
    print(f"selector fitted on {len(learned)} questions", file=sys.stderr, flush=True)
    sets = [Set(True, w, shop.questions(name, where, n)) for name, where, n, w in _ON_TOPIC]
    sets += [Set(False, w, shop.questions(name, where, n)) for name, where, n, w in _OFF_TOPIC]
    hard = sets[1].examples
    topic = fit_topic(shop, selector, sets)
    fine = fit_fine(table(shop, selector, hard, FINE_FEATURES), np.array([float(e.answerable) for e in hard]))
    kept = json.loads(args.out.read_text(encoding="utf-8")) if args.out.exists() else {}
    written = {
        **kept,
        "note": _NOTE,
        "sentences": {name: model.as_json() for name, model in models.items()},
        "support": {"topic": topic.as_json(), "fine": fine.as_json()},
    }
    args.out.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    if args.report:
        print(json.dumps({name: round(value, 4) for name, value in report(shop, learned, hard, sets).items()}))
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--report", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
