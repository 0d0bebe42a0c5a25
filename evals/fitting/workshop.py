"""Questions of the data sets searched in their collections, each text embedded once."""

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from evals.fitting.corpus import Embed, Example, Index, Vectors, examples, rows
from ragstead.answering.features import Floats
from ragstead.answering.selection import Ranked, SentenceSelector, Shortlist

SHORTLIST = 12


class Workshop:
    """Builds examples, embedding each text once."""

    def __init__(self, data: Path, embed: Embed) -> None:
        self._data = data
        self._raw = embed
        self._known: dict[str, Vectors] = {}
        self._indexes: dict[str, Index] = {}

    def embed(self, texts: Sequence[str]) -> Vectors:
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
        gold = _gold(self._data / name) if name == collection else {}
        return examples(self._indexes[collection], asked[:limit], self.embed, gold)

    def shortlist(self, selector: SentenceSelector, example: Example) -> tuple[Shortlist, Floats, list[int]]:
        """Return the shortlist of an example, its cosines, and the indices of its sentences."""
        short = selector.shortlist_of(example.found, example.lexical, SHORTLIST)
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
