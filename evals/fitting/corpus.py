"""What `fit_answering` learns from: collections searched exactly, and questions with their evidence.

The retrieval is the default one written out in numpy: BM25 (k1 1.2, b 0.75) and cosine, 100 candidates a side, fused
half and half after scaling. Chunks are runs of whole units of at most 180 words.
"""

import json
import string
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ragstead.answering.features import (
    Candidate,
    Floats,
    Passage,
    Question,
    TermCounts,
    candidates,
    lexical_features,
    read_question,
)
from ragstead.answering.terms import content_terms
from ragstead.sentences import UnitKind, segment

Vectors = NDArray[np.float32]
Embed = Callable[[Sequence[str]], Vectors]
Row = Mapping[str, object]
_CHUNK_WORDS = 180


def rows(path: Path) -> list[dict[str, object]]:
    """Return the objects of a file of JSON lines."""
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def documents(folder: Path) -> list[tuple[str, str, str]]:
    """Return (id, title, text) of a BEIR folder's corpus, or of the Markdown files under its `files`."""
    if (folder / "corpus.jsonl").exists():
        return [(str(row["_id"]), str(row.get("title", "")), str(row["text"])) for row in rows(folder / "corpus.jsonl")]
    found = []
    for path in sorted((folder / "files").rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        title = next(
            (line.lstrip("# ").split(" {")[0] for line in text.splitlines() if line.startswith("# ")), path.stem
        )
        found.append((path.name, title, text))
    return found


def chunks(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of runs of units of at most `_CHUNK_WORDS` words; a heading begins a new one."""
    start = end = words = 0
    for unit in segment(text):
        size = len(text[unit.start : unit.end].split())
        full = words + size > _CHUNK_WORDS or (unit.kind is UnitKind.HEADING and words > 40)
        if words and full:
            yield start, end
            words = 0
        start = start if words else unit.start
        end, words = unit.end, words + size
    if words:
        yield start, end


class Index:
    """One collection, searched exactly."""

    def __init__(self, folder: Path, embed: Embed) -> None:
        self.parts = [
            (document_id, title, text[start:end])
            for document_id, title, text in documents(folder)
            for start, end in chunks(text)
        ]
        texts = [f"{title}\n{text}" if title else text for _, title, text in self.parts]
        self.vectors = embed(texts)
        self._counts = [Counter(content_terms(text)) for text in texts]
        self._frequency: Counter[str] = Counter()
        for counts in self._counts:
            self._frequency.update(counts.keys())
        lengths = np.array([counts.total() for counts in self._counts], dtype=np.float64)
        self._norm = 1.2 * (0.25 + 0.75 * lengths / lengths.mean())
        self._postings: dict[str, list[tuple[int, int]]] = {}
        for i, counts in enumerate(self._counts):
            for term, count in counts.items():
                self._postings.setdefault(term, []).append((i, count))

    def counts_of(self, terms: Sequence[str]) -> TermCounts:
        """Return how many chunks hold each of `terms`."""
        return TermCounts({term: self._frequency[term] for term in terms}, len(self.parts))

    def _bm25(self, terms: Sequence[str]) -> Floats:
        total = np.zeros(len(self.parts))
        for term in dict.fromkeys(terms):
            frequency = self._frequency[term]
            idf = log(1 + (len(self.parts) - frequency + 0.5) / (frequency + 0.5))
            for i, count in self._postings.get(term, ()):
                total[i] += idf * count * 2.2 / (count + self._norm[i])
        return total

    def search(self, terms: Sequence[str], vector: Vectors, k: int = 8) -> list[Passage]:
        """Return the `k` best chunks of the hybrid, best first."""
        bm25, cosine = self._bm25(terms), (self.vectors @ vector).astype(np.float64)
        n = min(100, len(self.parts))
        pool = np.union1d(np.argsort(-bm25, kind="stable")[:n], np.argsort(-cosine, kind="stable")[:n])
        dense, words = cosine[pool], bm25[pool]
        spread = max(float(np.ptp(dense)), 1e-9)
        fused = 0.5 * (dense - dense.min()) / spread + 0.5 * words / max(float(words.max()), 1e-9)
        best = pool[np.argsort(-fused, kind="stable")[:k]]
        return [self._passage(int(i), float(cosine[i]), float(bm25[i])) for i in best]

    def _passage(self, i: int, cosine: float, bm25: float) -> Passage:
        document_id, title, text = self.parts[i]
        return Passage(text, title, cosine, bm25, document_id)


@dataclass(frozen=True, slots=True)
class Example:
    """One question with its evidence and labels.

    Attributes:
        row: The question as the data set has it.
        question: The question, read.
        counts: Document frequencies of its terms.
        passages: What retrieval found.
        found: Every sentence of them.
        lexical: Their features, float64 [len(found), len(LEXICAL_FEATURES)].
        vector: The question's embedding.
        gold: Which sentences hold a gold answer in a gold document, bool [len(found)].
    """

    row: Row
    question: Question
    counts: TermCounts
    passages: list[Passage]
    found: list[Candidate]
    lexical: Floats
    vector: Vectors
    gold: NDArray[np.bool_]

    @property
    def group(self) -> str:
        """The article a question was written on; its examples are held out together."""
        metadata = self.row.get("metadata")
        return str(metadata.get("article", "")) if isinstance(metadata, dict) else ""

    @property
    def answerable(self) -> bool:
        """False where the data set says that no document answers."""
        return not self.row.get("is_impossible", False)


def examples(index: Index, questions: Sequence[Row], embed: Embed, gold: Mapping[str, str]) -> list[Example]:
    """Search `index` for every question; questions for which nothing at all is found are left out."""
    vectors = embed([str(row["text"]) for row in questions])
    made = (_example(index, row, vector, gold) for row, vector in zip(questions, vectors, strict=True))
    return [example for example in made if example.found]


def _example(index: Index, row: Row, vector: Vectors, gold: Mapping[str, str]) -> Example:
    text = str(row["text"])
    terms = content_terms(text)
    counts = index.counts_of(terms)
    question = read_question(text, counts)
    passages = index.search(terms, vector)
    found = candidates(passages)
    labels = _labels(row, passages, found, gold.get(str(row["_id"])))
    return Example(row, question, counts, passages, found, lexical_features(question, passages, found), vector, labels)


def _labels(row: Row, passages: list[Passage], found: list[Candidate], document: str | None) -> NDArray[np.bool_]:
    answers = row.get("answers")
    wanted = [f" {plain(str(answer))} " for answer in answers] if isinstance(answers, list) else []
    held = [
        passages[candidate.passage].document_id == document
        and any(answer.strip() and answer in f" {plain(candidate.text)} " for answer in wanted)
        for candidate in found
    ]
    return np.array(held, dtype=np.bool_)


def plain(text: str) -> str:
    """Lower-case `text` without punctuation and articles, as SQuAD compares answers."""
    spaced = "".join(" " if char in string.punctuation else char for char in text.lower())
    return " ".join(word for word in spaced.split() if word not in {"a", "an", "the"})
