"""Pairs of neighbouring terms: they add to BM25 where they stand, and change nothing else."""

import asyncio
from itertools import pairwise
from pathlib import Path

import pytest

from ragstead.adapters.tantivy_index import TantivyIndex
from ragstead.model import EVERYTHING, Scope, chunk_key
from ragstead.testing.fakes import InlinePool, MemoryBm25

APART, TOGETHER, LONGER = chunk_key(1, 0), chunk_key(2, 0), chunk_key(3, 0)
TEXTS = {
    APART: ["press", "oak", "cider", "mill"],
    TOGETHER: ["cider", "press", "oak", "mill"],
    LONGER: ["mill", "stone", "river", "wheel"],
}


def test_terms_that_stand_together_score_higher(tmp_path: Path) -> None:
    async def scenario() -> None:
        index = TantivyIndex(tmp_path / "pairs", InlinePool(), pair_weight=0.25)
        await index.add(list(TEXTS), list(TEXTS.values()))
        found = await index.search(["cider", "press"], 5, EVERYTHING)
        assert list(found) == [TOGETHER, APART]
        scored = await index.score(["cider", "press"], [APART, LONGER])
        assert scored[LONGER] == 0.0
        assert scored[APART] == pytest.approx(found[APART], rel=1e-5)
        assert APART not in await index.search(["cider", "press"], 5, Scope(frozenset({1})))
        await index.close()

    asyncio.run(scenario())


def test_the_pair_adds_its_weight_of_bm25_over_pairs(tmp_path: Path) -> None:
    async def scenario() -> None:
        index = TantivyIndex(tmp_path / "pairs", InlinePool(), pair_weight=0.25)
        await index.add(list(TEXTS), list(TEXTS.values()))
        terms, pairs = MemoryBm25(), MemoryBm25()
        await terms.add(list(TEXTS), list(TEXTS.values()))
        await pairs.add(list(TEXTS), [[f"{a} {b}" for a, b in pairwise(t)] for t in TEXTS.values()])
        query = ["cider", "press"]
        single = (await terms.score(query, [TOGETHER]))[TOGETHER]
        double = (await pairs.score(["cider press"], [TOGETHER]))[TOGETHER]
        assert (await index.score(query, [TOGETHER]))[TOGETHER] == pytest.approx(single + 0.25 * double, rel=1e-4)
        await index.close()

    asyncio.run(scenario())


def test_one_term_scores_as_without_pairs(tmp_path: Path) -> None:
    async def scenario() -> None:
        plain = TantivyIndex(tmp_path / "plain", InlinePool())
        paired = TantivyIndex(tmp_path / "paired", InlinePool(), pair_weight=0.25)
        for index in (plain, paired):
            await index.add(list(TEXTS), list(TEXTS.values()))
        assert await plain.search(["mill"], 5, EVERYTHING) == await paired.search(["mill"], 5, EVERYTHING)

    asyncio.run(scenario())
