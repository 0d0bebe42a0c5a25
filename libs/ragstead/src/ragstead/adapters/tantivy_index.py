"""BM25 by tantivy, in a directory of its own per collection.

Terms come analysed and are indexed as they are; a query is built of objects and never parsed, so no term is
syntax. Document lengths are kept in one byte as Lucene does (exact to 40, then rounded down by up to 1/8),
and texts that were removed or replaced count in idf and average length until tantivy merges their segment
away.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray

from ragstead.errors import Unavailable
from ragstead.model import Scope, version_of
from ragstead.ports.vector_index import Scores
from ragstead.ports.work_pool import WorkPool

_TOKENIZER = "terms"
_WRITER_HEAP_BYTES = 64_000_000
_TIE_MARGIN = 16

_Occur = tantivy.Occur
_Query = tantivy.Query


class TantivyIndex:
    """Holds terms under keys in a directory; a `LexicalIndex` with its contents and term statistics.

    A write is one commit: it is on the disk and seen by the next search when it returns, and a process killed
    within one leaves the index as it was before. The writer's lock is the operating system's (`flock`), so a
    lock file left by a killed process does not block; one process writes at a time. k1 is 1.2 and b 0.75.

    Terms hold no white space, which `ragstead.analysis` sees to.
    """

    def __init__(self, directory: Path, pool: WorkPool, *, pair_weight: float = 0.0) -> None:
        """Open the index in `directory`, or make an empty one there.

        Args:
            directory: A folder of its own.
            pool: Where the blocking calls run.
            pair_weight: Weight of pairs of neighbouring terms, scored by BM25 over pairs and added; 0 for plain BM25.

        Raises:
            Unavailable: If the directory can't be written or holds a damaged index.
        """
        self._directory = directory
        self._pool = pool
        self._pair_weight = pair_weight
        self._writer: tantivy.IndexWriter | None = None
        self._writing = threading.Lock()
        self._schema = _schema()
        with self._edge("open"):
            directory.mkdir(parents=True, exist_ok=True)
            self._index = tantivy.Index(self._schema, str(directory), reuse=True)
            by_space = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
            self._index.register_tokenizer(_TOKENIZER, by_space)
            self._index.config_reader("manual")
            self._index.reload()

    async def add(self, keys: Sequence[int], terms: Sequence[Sequence[str]]) -> None:
        """Store the terms of each text; a key that is there already, or comes again, is replaced."""
        if keys:
            await self._pool.run(lambda: self._add(keys, terms))

    async def remove(self, version_keys: Collection[int]) -> None:
        """Forget all chunks of these versions; versions that are not there are passed over."""
        if version_keys:
            await self._pool.run(lambda: self._remove(version_keys))

    async def search(self, terms: Sequence[str], k: int, scope: Scope) -> Scores:
        """Return the BM25 score of the `k` best keys within `scope`; ties at the end go to the lower keys."""
        if not terms or k < 1 or scope.is_nothing:
            return {}
        return await self._pool.run(lambda: self._search(self._scoped(terms, scope), k))

    async def score(self, terms: Sequence[str], keys: Collection[int]) -> Scores:
        """Return the BM25 score of each of `keys` that the index holds.

        One query tells presence too: the keys themselves are a clause that must match and scores 0.
        """
        if not keys:
            return {}
        wanted = self._any_of("key", keys)
        query = _Query.boolean_query([(_Occur.Must, wanted), *self._optional(terms)])
        return await self._pool.run(lambda: self._search(query, len(keys)))

    async def keys(self) -> NDArray[np.int64]:
        """Return every key, ascending."""
        return await self._pool.run(self._keys)

    async def document_frequencies(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        """Return the number of texts held, and for each term the number of them that hold it.

        Unlike the statistics behind the scores these leave out what was removed.
        """
        return await self._pool.run(lambda: self._document_frequencies(terms))

    async def close(self) -> None:
        """End the writer after its merges; the index opens it again if it is written to."""
        await self._pool.run(self._close)

    def _add(self, keys: Sequence[int], terms: Sequence[Sequence[str]]) -> None:
        rows = list(zip(keys, terms, strict=True))
        with self._commit("add") as writer:
            for key, words in rows:
                writer.delete_documents_by_term("key", key)
                pairs = " ".join(_pairs(words)) if self._pair_weight else ""
                fields = {"key": key, "version": version_of(key), "terms": " ".join(words), "pairs": pairs}
                writer.add_document(tantivy.Document.from_dict(fields, self._schema))

    def _remove(self, version_keys: Collection[int]) -> None:
        with self._commit("remove") as writer:
            for version_key in version_keys:
                writer.delete_documents_by_term("version", version_key)

    @contextmanager
    def _commit(self, doing: str) -> Iterator[tantivy.IndexWriter]:
        """Yield the writer and commit what it was given; a writer that failed is thrown away, uncommitted."""
        with self._writing, self._edge(doing):
            writer = self._writer or self._index.writer(_WRITER_HEAP_BYTES, 1)
            self._writer = None
            try:
                yield writer
                writer.commit()
            except BaseException:
                # lets go of the lock at once, which a mere reference in the traceback would hold on to
                with suppress(ValueError, OSError, RuntimeError, SystemError):
                    writer.wait_merging_threads()
                raise
            self._writer = writer
            self._index.reload()

    def _close(self) -> None:
        with self._writing, self._edge("close"):
            if self._writer is not None:
                self._writer.wait_merging_threads()
            self._writer = None

    def _scoped(self, terms: Sequence[str], scope: Scope) -> tantivy.Query:
        words = self._optional(terms)
        if scope.is_everything:
            return _Query.boolean_query(words)
        versions = self._any_of("version", scope.version_keys)
        restriction = _Occur.MustNot if scope.exclude else _Occur.Must
        return _Query.boolean_query([(_Occur.Must, _Query.boolean_query(words)), (restriction, versions)])

    def _any_of(self, field: str, values: Collection[int]) -> tantivy.Query:
        """Match without a score, so that a restriction leaves BM25 as it is."""
        return _Query.const_score_query(_Query.term_set_query(self._schema, field, list(values)), 0.0)

    def _optional(self, terms: Sequence[str]) -> list[tuple[tantivy.Occur, tantivy.Query]]:
        single = [self._weighted(term, float(times)) for term, times in Counter(terms).items()]
        if not self._pair_weight:
            return [(_Occur.Should, query) for query in single]
        pairs = Counter(_pairs(terms)).items()
        double = [self._weighted(pair, times * self._pair_weight, "pairs") for pair, times in pairs]
        return [(_Occur.Should, query) for query in single + double]

    def _weighted(self, term: str, weight: float, field: str = "terms") -> tantivy.Query:
        query = self._term(term, field)
        return query if weight == 1.0 else _Query.boost_query(query, weight)

    def _term(self, term: str, field: str = "terms") -> tantivy.Query:
        return _Query.term_query(self._schema, field, term, "freq")

    def _search(self, query: tantivy.Query, k: int) -> Scores:
        """Return the `k` best; tantivy orders ties by where they lie, so all ties of the last are fetched."""
        with self._edge("search"):
            searcher = self._index.searcher()
            limit = min(k + _TIE_MARGIN, searcher.num_docs)
            hits = searcher.search(query, limit, count=False).hits if limit else []
            while len(hits) == limit > k and hits[-1][0] == hits[k - 1][0] and limit < searcher.num_docs:
                limit = min(2 * limit, searcher.num_docs)
                hits = searcher.search(query, limit, count=False).hits
            keys = searcher.fast_field_values("key", [address for _, address in hits])
        ranked = sorted((-score, int(key or 0)) for (score, _), key in zip(hits, keys, strict=True))
        return {key: -score for score, key in ranked[:k]}

    def _keys(self) -> NDArray[np.int64]:
        with self._edge("list"):
            searcher = self._index.searcher()
            if searcher.num_docs == 0:
                return np.empty(0, dtype=np.int64)
            found = searcher.search(_Query.all_query(), searcher.num_docs, False, "key", order=tantivy.Order.Asc)
            return np.fromiter((key for key, _ in found.hits), dtype=np.int64, count=len(found.hits))

    def _document_frequencies(self, terms: Collection[str]) -> tuple[int, dict[str, int]]:
        with self._edge("count"):
            searcher = self._index.searcher()
            return searcher.num_docs, {term: self._held(searcher, term) for term in terms}

    def _held(self, searcher: tantivy.Searcher, term: str) -> int:
        found = searcher.search(self._term(term), 1, count=True)
        return int(found.count)  # type: ignore[attr-defined]  # missing in tantivy's stubs

    @contextmanager
    def _edge(self, doing: str) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError, RuntimeError, SystemError) as error:
            where = f"the BM25 index in {self._directory} could not {doing}: {error}"
            raise Unavailable("bm25", f"{where}; check the disk, or rebuild the index") from error


def _pairs(terms: Sequence[str]) -> Iterator[str]:
    return (f"{first}\x1f{second}" for first, second in pairwise(terms))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("key", indexed=True, fast=True)
    builder.add_integer_field("version", indexed=True, fast=True)
    builder.add_text_field("terms", tokenizer_name=_TOKENIZER, index_option="freq")
    builder.add_text_field("pairs", tokenizer_name=_TOKENIZER, index_option="freq")
    return builder.build()
