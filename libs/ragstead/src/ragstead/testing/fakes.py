"""Implementations of the ports in memory: exact, deterministic, without a model or a disk.

They pass the same contract suites as the adapters (`ragstead.testing.contracts`), and are what the adapters'
numbers are compared with.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import IndexMismatch, InvalidRequest
from ragstead.model import Role, Scope, version_of
from ragstead.ports.encoder import Breathe
from ragstead.ports.step_graph import Deliberation, Move
from ragstead.ports.vector_index import Scores

T = TypeVar("T")


class InlinePool:
    """Is a `WorkPool` without threads: work runs at once, where it is asked for."""

    async def run(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises."""
        return work()


class MemoryVectors:
    """Is a `VectorIndex` with its contents in a dictionary, searched one by one."""

    def __init__(self, dim: int) -> None:
        self._dim = dim
        self._vectors: dict[int, NDArray[np.float32]] = {}

    async def add(self, keys: Sequence[int], vectors: NDArray[np.float32]) -> None:
        """Store `vectors` of shape `[len(keys), dim]`; of a key that comes twice the last one stays."""
        if keys:
            self._check_width(vectors)
            self._vectors.update(zip(keys, np.array(vectors, dtype=np.float32), strict=True))

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions."""
        self._vectors = {k: v for k, v in self._vectors.items() if version_of(k) not in version_keys}

    async def search(self, vector: NDArray[np.float32], k: int, scope: Scope) -> Scores:
        """Return the cosine of the `k` nearest keys within `scope`."""
        return _best(await self.score(vector, list(filter(scope.admits, self._vectors))), k)

    async def score(self, vector: NDArray[np.float32], keys: Collection[int]) -> Scores:
        """Return the cosine of each of `keys` that the index holds."""
        self._check_width(vector)
        held = [key for key in keys if key in self._vectors]
        return _best({key: _cosine(self._vectors[key], vector) for key in held}, len(held))

    async def keys(self) -> NDArray[np.int64]:
        """Return every key, ascending."""
        return np.array(sorted(self._vectors), dtype=np.int64)

    def _check_width(self, vectors: NDArray[np.float32]) -> None:
        if vectors.shape[-1] != self._dim:
            raise IndexMismatch(f"vectors of width {vectors.shape[-1]} for an index of width {self._dim}")


class MemoryBm25:
    r"""Is a `LexicalIndex` with contents and statistics in a dictionary.

    Exact lengths, and statistics of what is held alone: with `n` of `N` texts holding a term that occurs
    `f` times in a text of `l` terms, and `L` terms in the mean text,

        ln(1 + (N - n + 0.5) / (n + 0.5)) * f * (k1 + 1) / (f + k1 * (1 - b + b * l / L))

    Source: Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; the idf is
    Lucene's, which is never negative.
    """

    def __init__(self, k1: float = 1.2, b: float = 0.75) -> None:
        self._k1 = k1
        self._b = b
        self._texts: dict[int, Counter[str]] = {}

    async def add(self, keys: Sequence[int], terms: Sequence[Sequence[str]]) -> None:
        """Store the terms of each text; of a key that comes twice the last one stays."""
        self._texts.update({key: Counter(words) for key, words in zip(keys, terms, strict=True)})

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions."""
        self._texts = {k: text for k, text in self._texts.items() if version_of(k) not in version_keys}

    async def search(self, terms: Sequence[str], k: int, scope: Scope) -> Scores:
        """Return the BM25 score of the `k` best keys within `scope`."""
        scores = await self.score(terms, list(filter(scope.admits, self._texts)))
        return _best({key: score for key, score in scores.items() if score > 0}, k)

    async def score(self, terms: Sequence[str], keys: Collection[int]) -> Scores:
        """Return the BM25 score of each of `keys` that the index holds."""
        held = [key for key in keys if key in self._texts]
        total, frequencies = await self.document_frequencies(set(terms))
        mean = sum(text.total() for text in self._texts.values()) / max(1, total)
        idf = {term: math.log(1 + (total - n + 0.5) / (n + 0.5)) for term, n in frequencies.items()}
        return _best({key: self._bm25(self._texts[key], terms, idf, mean) for key in held}, len(held))

    async def keys(self) -> NDArray[np.int64]:
        """Return every key, ascending."""
        return np.array(sorted(self._texts), dtype=np.int64)

    async def document_frequencies(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        """Return the number of texts held, and for each term the number of them that hold it."""
        return len(self._texts), {t: sum(t in text for text in self._texts.values()) for t in terms}

    def _bm25(self, text: Counter[str], terms: Iterable[str], idf: dict[str, float], mean: float) -> float:
        norm = self._k1 * (1 - self._b + self._b * text.total() / mean) if mean else 0.0
        return sum(idf[t] * text[t] * (self._k1 + 1) / (text[t] + norm) for t in terms if t in text)


class HashEmbedder:
    """Is an `Embedder` without a model: a text's vector is the sum of vectors drawn from its words' hashes.

    Texts that share words are near, the same text has the same vector on every machine, and roles are alike.
    It is a `TokenCounter` too: a word is a token.
    """

    def __init__(self, dim: int = 32, max_words: int = 256) -> None:
        self._dim = dim
        self._max_words = max_words

    @property
    def identity(self) -> str:
        """Name and width."""
        return f"hash-embedder/{self._dim}"

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._dim

    async def embed(self, texts: Sequence[str], role: Role) -> NDArray[np.float32]:  # noqa: ARG002
        """Return unit vectors of shape `[len(texts), dim]`; words beyond `max_words` are left out."""
        vectors = [self._vector(text) for text in texts]
        return np.array(vectors, dtype=np.float32).reshape(len(texts), self._dim)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the number of words of each text."""
        return [len(_words(text)) for text in texts]

    def _vector(self, text: str) -> NDArray[np.float64]:
        words = Counter(_words(text)[: self._max_words]) or Counter([""])
        total = sum((self._word_vector(word) * n for word, n in sorted(words.items())), np.zeros(self._dim))
        unit: NDArray[np.float64] = total / np.linalg.norm(total)
        return unit

    def _word_vector(self, word: str) -> NDArray[np.float64]:
        return np.random.default_rng(_hash(word)).standard_normal(self._dim)


class HashEncoder:
    """Is an `Encoder` without a model: a word's id is drawn from its hash, a row's vector is the sum of its ids' own.

    Ids are 2 to 9,999 and the special ones 0 and 1.
    """

    def __init__(self, dim: int = 32, max_tokens: int = 16) -> None:
        self._dim = dim
        self._max_tokens = max_tokens

    @property
    def identity(self) -> str:
        """Name and width."""
        return f"hash-encoder/{self._dim}"

    @property
    def dim(self) -> int:
        """Width of a vector."""
        return self._dim

    @property
    def device(self) -> str:
        """The processor."""
        return "cpu"

    def device_memory(self) -> None:
        """Return None: it holds no GPU's memory."""
        return

    @property
    def max_tokens(self) -> int:
        """Ids of a row, special ones among them."""
        return self._max_tokens

    def tokenize(self, texts: Sequence[str], role: Role, *, at_most: int | None = None) -> list[list[int]]:  # noqa: ARG002
        """Return the row of each text."""
        rows = [[0, *(2 + _hash(word) % 9_998 for word in _words(text)), 1] for text in texts]
        return [row if at_most is None or len(row) <= at_most else [*row[: at_most - 1], 1] for row in rows]

    def framed(self, ids: Sequence[int]) -> list[int]:
        """Return the row of a caller's own ids."""
        strange = next((token for token in ids if not 0 <= token < 10_000), None)
        if strange is not None or not ids:
            raise InvalidRequest(f"token id {strange} is not in the vocabulary of 0 to 9999")
        return [0, *ids, 1]

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Return the words of each text; it is a `TokenCounter` too."""
        return [len(_words(text)) for text in texts]

    def encode(self, rows: Sequence[Sequence[int]], breathe: Breathe | None = None) -> NDArray[np.float32]:
        """Return unit vectors of shape `[len(rows), dim]`; breathes before each row."""
        if breathe is not None:
            for _ in rows:
                breathe()
        sums = [sum(np.random.default_rng(token).standard_normal(self._dim) for token in row) for row in rows]
        vectors = np.array(sums, dtype=np.float32).reshape(len(rows), self._dim)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _hash(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _best(scores: Scores, k: int) -> Scores:
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0]))[: max(0, k)])


def _cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    norms = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    return min(1.0, max(-1.0, float(a @ b) / norms)) if norms else 0.0


class LoopedSteps:
    """Is the `StepGraph` port with a loop and nothing else."""

    async def run(self, task: Deliberation, *, most: int) -> None:
        """Take steps until one says END, or `most` of them are done."""
        ways = {Move.PLAN: task.plan, Move.SEARCH: task.search, Move.JUDGE: task.judge}
        move = Move.PLAN
        for _ in range(most):
            if move is not Move.END:
                move = await ways[move]()
