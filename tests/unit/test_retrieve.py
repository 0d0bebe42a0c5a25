"""Retrieval over the shipped fakes: what is not live any more costs no hit, and each strategy gives both scores."""

import asyncio
from collections.abc import Collection as Many

import numpy as np
import pytest

from ragstead.analysis import analyse
from ragstead.filters import Filter
from ragstead.model import EVERYTHING, Chunk, Collection, Scope, StoredChunk, Strategy, chunk_key
from ragstead.pipelines.retrieve import RetrievalPlan, RetrieveParts, RetrievePipeline, SearchRequest, SearchResult
from ragstead.ports.indexes import Index
from ragstead.relevance import Relevance
from ragstead.testing.fakes import HashEmbedder, MemoryBm25, MemoryVectors

WORDS = ["tide", "lock", "barge", "crane", "rope", "pilot", "cargo", "signal"]
TEXTS = {
    chunk_key(number, 0): " ".join(WORDS[(number * step) % len(WORDS)] for step in (1, 2, 3, 5, number)) + f" n{number}"
    for number in range(1, 61)
}
QUERY = "crane barge signal n7"


class Live:
    """A collection of `TEXTS`, of which `dead` are not live any more; counts the keys that are looked up."""

    def __init__(self, dead: Many[int] = ()) -> None:
        self.dead = set(dead)
        self.looked_up = 0

    async def collection(self, name_or_id: str) -> Collection:
        return Collection("vs_1", name_or_id, 1, "ix", "identity", 0)

    async def scope(self, collection_id: str, condition: Filter | None) -> Scope:
        return EVERYTHING

    async def fetch(self, collection_id: str, keys: Many[int], condition: Filter | None) -> dict[int, StoredChunk]:
        self.looked_up += len(keys)
        return {key: stored(key) for key in keys if key not in self.dead}


def stored(key: int) -> StoredChunk:
    return StoredChunk(key, f"c{key}", f"d{key}", f"f{key}", "a.md", "", Chunk(0, 0, len(TEXTS[key]), TEXTS[key]))


class OneIndex:
    """Opens the same index under each name."""

    def __init__(self, index: Index) -> None:
        self._index = index

    async def open(self, name: str) -> Index:
        return self._index

    async def drop(self, name: str) -> None:
        """Nothing to drop."""


@pytest.fixture(scope="module")
def index() -> Index:
    async def fill() -> Index:
        vectors, bm25 = MemoryVectors(32), MemoryBm25()
        keys = list(TEXTS)
        await vectors.add(keys, await HashEmbedder().embed(list(TEXTS.values()), "passage"))
        await bm25.add(keys, [analyse(text) for text in TEXTS.values()])
        return Index(vectors, bm25, bm25, (vectors, bm25))

    return asyncio.run(fill())


def search(
    index: Index, live: Live, *, k: int = 5, candidates: int = 20, strategy: Strategy | None = None
) -> SearchResult:
    return asyncio.run(pipeline_on(index, live, candidates).search(SearchRequest(QUERY, k=k, strategy=strategy)))


def pipeline_on(index: Index, live: Live, candidates: int = 20) -> RetrievePipeline:
    parts = RetrieveParts(
        live, OneIndex(index), HashEmbedder(), analyse, Relevance(-4.0, 8.0, 0.0, 0.0, 0.0), "identity"
    )
    return RetrievePipeline(parts, RetrievalPlan(candidates=candidates, prefilter=candidates))


def keys_of(found: SearchResult) -> list[int]:
    return [hit.stored.key for hit in found.hits]


def test_hits_are_the_best_of_all_candidates(index: Index) -> None:
    every = keys_of(search(index, Live(), k=60, candidates=60))
    assert len(every) == 60
    assert keys_of(search(index, Live(), k=5, candidates=60)) == every[:5]


@pytest.mark.parametrize("n_dead", [1, 3, 12])
def test_dead_chunks_make_room_for_the_next_best(index: Index, n_dead: int) -> None:
    every = keys_of(search(index, Live(), k=60, candidates=60))
    live = Live(every[:n_dead])
    assert keys_of(search(index, live, k=5, candidates=60)) == every[n_dead : n_dead + 5]


def test_only_what_is_wanted_is_looked_up(index: Index) -> None:
    live = Live()
    search(index, live, k=5)
    assert live.looked_up == 5


@pytest.mark.parametrize("strategy", list(Strategy))
def test_each_strategy_gives_both_scores_in_falling_order(index: Index, strategy: Strategy) -> None:
    found = search(index, Live(), strategy=strategy)
    vector = found.vector
    assert len(found.hits) == 5
    assert [hit.score for hit in found.hits] == sorted((hit.score for hit in found.hits), reverse=True)
    for hit in found.hits:
        own = asyncio.run(HashEmbedder().embed([TEXTS[hit.stored.key]], "passage"))[0]
        assert hit.cosine == pytest.approx(float(np.dot(own, vector)), abs=1e-5)
        scored = asyncio.run(index.lexical.score(analyse(QUERY), [hit.stored.key]))
        assert hit.bm25 == pytest.approx(scored[hit.stored.key])


def test_fewer_chunks_than_wanted_are_all_found(index: Index) -> None:
    assert len(search(index, Live(), k=1000).hits) == 60


@pytest.mark.parametrize("strategy", list(Strategy))
def test_chunks_that_are_weighed_get_the_scores_of_a_search(index: Index, strategy: Strategy) -> None:
    found = search(index, Live(), k=60, candidates=60, strategy=strategy)
    some = found.hits[::3]
    request = SearchRequest(QUERY, k=60, strategy=strategy)
    weighed = asyncio.run(pipeline_on(index, Live()).weigh(request, {hit.stored.key for hit in some}))
    assert sorted(keys_of(weighed)) == sorted(hit.stored.key for hit in some)
    by_key = {hit.stored.key: hit for hit in some}
    for hit in weighed.hits:
        assert hit.cosine == pytest.approx(by_key[hit.stored.key].cosine)
        assert hit.bm25 == pytest.approx(by_key[hit.stored.key].bm25)
    assert np.array_equal(weighed.vector, found.vector)
    assert weighed.weights == found.weights


def test_weighing_shows_nothing_that_is_not_live_and_no_more_than_wanted(index: Index) -> None:
    first, second, third = keys_of(search(index, Live(), k=3, candidates=60))
    pipeline = pipeline_on(index, Live([first]))
    assert keys_of(asyncio.run(pipeline.weigh(SearchRequest(QUERY, k=1), {first, second, third}))) == [second]
