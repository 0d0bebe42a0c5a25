"""Fit the weights of `ragstead.guardrails.groundedness`, and write them as its `weights.json`.

    python -m evals.fitting.groundedness DATA OUT

DATA holds squad-v1.1-dev. Labels are plants (`evals/guardrails/plants.py`): sentences that their passage supports, said
in several ways, and the same with a number, a name, a negation or two names' places changed. The figures printed are
for articles that the fit did not see. Deterministic; half a minute on one core.
"""

import argparse
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evals.fitting.linear import logistic
from evals.guardrails.measures import Floats, auc
from evals.guardrails.plants import Plant, answers, plants
from ragstead.answering.linear import LinearModel
from ragstead.guardrails.groundedness.differences import DIFFERENCES, differences

PASSAGES, QUESTIONS, SEED = 1200, 1800, 1
_L2 = 1.0
_SAID = {"verbatim": 0.6, "answer": 0.12}
_CHANGE = {"foreign": 0.6, "swap": 2.0}
_NOTE = (
    "Fitted by evals/fitting/groundedness.py: logistic on changed and unchanged sentences of squad-v1.1-dev; "
    "supported and unsupported ones weigh the same."
)


def draw(data: Path, seed: int = SEED) -> list[Plant]:
    """Return the sentences to learn from."""
    folder = data / "squad-v1.1-dev"
    return [*plants(folder, seed, PASSAGES), *answers(folder, seed, QUESTIONS)]


def table(found: Sequence[Plant]) -> tuple[Floats, Floats, Floats]:
    """Return features, labels and weights."""
    features = np.array([differences(plant.sentence, [plant.passage]) for plant in found])
    labels = np.array([float(plant.supported) for plant in found])
    weights = np.array([_SAID.get(plant.said, 1.0) * _CHANGE.get(plant.change, 1.0) for plant in found])
    weights[labels > 0] *= weights[labels < 1].sum() / weights[labels > 0].sum()
    return features, labels, weights


def fit(found: Sequence[Plant]) -> LinearModel:
    """Fit the weights."""
    return logistic(*table(found), DIFFERENCES, l2=_L2)


def held_out(found: Sequence[Plant]) -> Floats:
    """Return the log-odds of each sentence by a fit that saw only the other half of the articles."""
    features, labels, weights = table(found)
    half = np.array([zlib.crc32(plant.group.encode()) % 2 for plant in found])
    scores = np.zeros(len(found))
    for fold in (0, 1):
        seen = half != fold
        model = logistic(features[seen], labels[seen], weights[seen], DIFFERENCES, l2=_L2)
        scores[~seen] = model.scores(features[~seen])
    return scores


def main() -> int:
    """Fit, write, and print the figures of the held-out halves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    found = draw(args.data)
    args.out.write_text(json.dumps({"note": _NOTE, **fit(found).as_json()}, indent=1) + "\n", encoding="utf-8")
    scores = held_out(found)
    sentences = np.array([plant.said != "answer" for plant in found])
    labels = np.array([float(plant.supported) for plant in found])
    print(json.dumps({"auc": auc(scores[sentences], labels[sentences]), "sentences": int(sentences.sum())}))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
