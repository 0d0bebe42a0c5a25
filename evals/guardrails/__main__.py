"""Print what the detectors reach on public data: `python -m evals.guardrails --data FOLDER [--json]`.

The figures are those of the weights that come with the product, on the halves that they were tuned on; where a table
says `held out`, of fits that did not see what they are measured on (`--held-out`, four minutes more).
"""

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from evals.fitting.groundedness import draw, held_out
from evals.fitting.injection import FOLDS, cross_validated, shares, threshold_for
from evals.fitting.injection_rows import rows
from evals.guardrails.measures import Floats, auc, length_matched
from evals.guardrails.pii_cases import PiiCase, pii_cases
from evals.guardrails.plants import CHANGES, Plant
from ragstead.analysis import analyse
from ragstead.citations import find_support
from ragstead.guardrails.groundedness import groundedness
from ragstead.guardrails.groundedness.tokens import tokens_of
from ragstead.guardrails.injection import injection_score, shipped_detector
from ragstead.guardrails.pii import PiiKind, find_pii
from ragstead.sentences import spans
from ragstead.settings.pipeline import GuardSettings

Figures = dict[str, float]
_FRESH_SEED = 20
_KINDS = {
    "EMAIL_ADDRESS": PiiKind.EMAIL,
    "PHONE_NUMBER": PiiKind.PHONE,
    "CREDIT_CARD": PiiKind.CARD,
    "IBAN_CODE": PiiKind.IBAN,
    "IP_ADDRESS": PiiKind.IP_ADDRESS,
    "DOMAIN_NAME": PiiKind.DOMAIN,
    "US_SSN": PiiKind.US_SSN,
}


def _objects(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _by_change(found: Sequence[Plant], scores: Floats, prefix: str) -> Figures:
    """Return the area under the curve by what was changed, and for all; question-turned answers apart."""
    labels = np.array([float(plant.supported) for plant in found])
    answers = np.array([plant.said == "answer" for plant in found])
    changes = np.array([plant.change for plant in found])
    figures = {f"{prefix}auc": auc(scores[~answers], labels[~answers])}
    for change in CHANGES:
        wanted = ~answers & ((changes == change) | (changes == ""))
        figures[f"{prefix}auc {change}"] = auc(scores[wanted], labels[wanted])
    figures[f"{prefix}auc answers to questions"] = auc(scores[answers], labels[answers])
    return figures


def _stopped(found: Sequence[Plant], scores: Floats) -> Figures:
    """Return how many sentences the default policy stops: changed, reworded, and answers that pass citation."""
    figures = {}
    for change in CHANGES:
        figures[f"stopped, {change}"] = _share_below(
            [s for p, s in zip(found, scores, strict=True) if p.change == change]
        )
    right = [(p, s) for p, s in zip(found, scores, strict=True) if p.supported and p.said != "verbatim"]
    figures["stopped, reworded and right"] = _share_below([s for p, s in right if p.said != "answer"])
    cited = [s for p, s in right if p.said == "answer" and find_support(p.sentence[:-1], p.passage, spans, analyse)]
    figures["stopped, right answers that pass citation"] = _share_below(cited)
    return figures


def _share_below(scores: Sequence[float]) -> float:
    return float(np.mean(np.array(scores) < GuardSettings().min_groundedness))


def groundedness_table(data: Path, *, apart: bool) -> Figures:
    """Return the areas on plants drawn anew, on HaluEval, and the time a sentence takes."""
    found = draw(data, _FRESH_SEED)
    scores = np.array([groundedness(plant.sentence, [plant.passage]) for plant in found])
    figures = _by_change(found, scores, "") | _stopped(found, scores)
    if apart:
        seen = draw(data)
        figures |= _by_change(seen, held_out(seen), "held out: ")
    told = _objects(data / "halueval-qa-2000/data.jsonl")
    answers = [str(row["response"]) for row in told]
    contexts = [[str(text) for text in row["context"]] for row in told if isinstance(row["context"], list)]
    right = np.array([float(row["label"] == "supported") for row in told])
    scores = np.array([groundedness(answer, context) for answer, context in zip(answers, contexts, strict=True)])
    lengths = np.array([-len(answer) for answer in answers], dtype=np.float64)
    kept = length_matched([len(answer) for answer in answers], right)
    figures["halueval"] = auc(scores, right)
    figures["halueval, lengths matched, answers"] = len(kept)
    figures["halueval, length alone"] = auc(lengths, right)
    figures["halueval, lengths matched"] = auc(scores[kept], right[kept])
    figures["halueval, lengths matched, length alone"] = auc(lengths[kept], right[kept])
    sample = [plant for plant in found if tokens_of(plant.sentence)][:2000]
    spent = _seconds(lambda: [groundedness(plant.sentence, [plant.passage]) for plant in sample])
    figures["ms a sentence"] = 1000 * spent / len(sample)
    return figures


def injection_table(data: Path, *, apart: bool) -> Figures:
    """Return the share of each set that reaches the threshold, and the time a kilobyte takes."""
    found = rows(data, FOLDS)
    measured = [row for row in found if row.fold >= 0]
    scores = np.array([injection_score(row.text) for row in measured])
    threshold = shipped_detector().threshold
    figures = {"threshold": threshold, **shares(measured, scores, threshold)}
    if apart:
        scores = cross_validated(found)
        chosen = threshold_for(found, scores)
        figures |= {f"held out: {name}": share for name, share in shares(found, scores, chosen).items()}
    texts = [row.text for row in measured if row.kind.startswith("text")][:500]
    spent = _seconds(lambda: [injection_score(text) for text in texts])
    figures["ms a kB"] = 1e6 * spent / sum(map(len, texts))
    return figures


def _f1(cases: Sequence[PiiCase]) -> Figures:
    """Return precision, recall and F1 over spans: right is the exact span of the exact kind."""
    right: Counter[PiiKind] = Counter()
    told: Counter[PiiKind] = Counter()
    gold: Counter[PiiKind] = Counter()
    for case in cases:
        found = {(span.start, span.end, span.kind) for span in find_pii(case.text)}
        right.update(kind for _, _, kind in found & case.spans)
        told.update(kind for _, _, kind in found)
        gold.update(kind for _, _, kind in case.spans)
    both, said, there = right.total(), told.total(), gold.total()
    figures = {"precision": both / said, "recall": both / there, "f1": 2 * both / (said + there)}
    return figures | {f"f1 {kind}": 2 * right[kind] / (told[kind] + gold[kind]) for kind in PiiKind}


def pii_table(data: Path) -> Figures:
    """Return the figures on both sets, and the time a kilobyte of ordinary text takes."""
    presidio = []
    for row in _objects(data / "pii-presidio/data.jsonl"):
        spans = row["spans"]
        assert isinstance(spans, list)
        wanted = ((span["start"], span["end"], _KINDS[span["type"]]) for span in spans if span["type"] in _KINDS)
        presidio.append(PiiCase(str(row["text"]), frozenset(wanted)))
    figures = {f"presidio: {name}": value for name, value in _f1(presidio).items()}
    figures |= {f"made: {name}": value for name, value in _f1(list(pii_cases(_FRESH_SEED, 200))).items()}
    texts = [str(row["text"]) for row in _objects(data / "squad-v1.1-dev/corpus.jsonl")[:600]]
    spent = _seconds(lambda: [find_pii(text) for text in texts])
    figures["us a kB"] = 1e9 * spent / sum(map(len, texts))
    return figures


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    tables = {
        "groundedness": groundedness_table(args.data, apart=args.held_out),
        "injection": injection_table(args.data, apart=args.held_out),
        "pii": pii_table(args.data),
    }
    if args.json:
        json.dump(tables, sys.stdout, indent=1)
        return 0
    for name, figures in tables.items():
        print(f"\n{name}")
        for what, value in figures.items():
            print(f"  {what:<45} {value:.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
