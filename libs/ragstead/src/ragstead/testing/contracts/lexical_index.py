"""The suite of `LexicalIndex`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from ragstead.model import EVERYTHING, Scope, chunk_key
from ragstead.ports.lexical_index import LexicalIndex, TermStatistics
from ragstead.ports.vector_index import IndexContents
from ragstead.testing.contracts.expectations import A0, A1, ALL_BUT_B, B0, B1, C0, NOTHING, ONLY_B, close_to


class Bm25(LexicalIndex, IndexContents, TermStatistics, Protocol):
    """What the BM25 suite drives."""


class LexicalIndexContract:
    """What any `LexicalIndex` does; subclasses define `opened`."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Bm25]:
        """Open the index in `folder`; empty where the folder is."""
        raise AssertionError("a suite says how its index is opened")

    def drive(self, folder: Path, check: Callable[[Bm25], Awaitable[None]]) -> None:
        """Run `check` on the index in `folder`."""

        async def run() -> None:
            async with self.opened(folder) as index:
                await check(index)

        asyncio.run(run())

    def test_empty_index_finds_nothing(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            assert await index.search(["a"], 3, EVERYTHING) == {}
            assert await index.score(["a"], [A0]) == {}
            assert await index.document_frequencies(["a"]) == (0, {"a": 0})
            assert (await index.keys()).tolist() == []
            await index.add([], [])
            await index.remove([])
            await index.remove([1])

        self.drive(tmp_path, check)

    def test_scores_are_bm25(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A1, B0], [["a", "b"], ["a", "a", "a"], ["c"]])
            # idf(a) = ln(1 + 1.5 / 2.5) = ln 1.6, mean length 2: A0 has l/L 1, A1 has 1.5
            first, second = np.log(1.6) * 3 * 2.2 / (3 + 1.2 * (0.25 + 0.75 * 1.5)), np.log(1.6)
            close_to(await index.search(["a"], 9, EVERYTHING), {A1: first, A0: second})
            close_to(await index.search(["a", "a"], 9, EVERYTHING), {A1: 2 * first, A0: 2 * second})
            close_to(await index.search(["a"], 1, EVERYTHING), {A1: first})

        self.drive(tmp_path, check)

    def test_a_term_that_every_text_holds_still_scores(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A1], [["a"], ["a"]])
            assert all(score > 0 for score in (await index.search(["a"], 9, EVERYTHING)).values())
            assert list(await index.search(["a"], 9, EVERYTHING)) == [A0, A1]

        self.drive(tmp_path, check)

    def test_ties_at_the_end_go_to_the_lower_keys(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            keys = [chunk_key(9 - i // 10, i) for i in range(50)]
            for key in keys[:20]:
                await index.add([key], [["a", "b"]])
            await index.add(keys[20:], [["a", "b"]] * 30)
            assert list(await index.search(["a"], 3, EVERYTHING)) == sorted(keys)[:3]

        self.drive(tmp_path, check)

    def test_no_terms_and_unknown_terms_find_nothing(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A1], [["a"], []])
            assert await index.search([], 9, EVERYTHING) == {}
            assert await index.search(["b"], 9, EVERYTHING) == {}
            assert await index.search(["a"], 0, EVERYTHING) == {}
            assert await index.score([], [A0, A1, B0]) == {A0: 0.0, A1: 0.0}

        self.drive(tmp_path, check)

    def test_score_equals_search_and_is_zero_without_a_match(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A1, B0], [["a", "b"], ["c"], ["b"]])
            found = await index.search(["a", "b"], 9, EVERYTHING)
            close_to(await index.score(["a", "b"], [C0, B0, A1, A0]), found | {A1: 0.0})
            assert await index.score(["a"], []) == {}

        self.drive(tmp_path, check)

    def test_added_key_replaces_and_repeats_are_harmless(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A0], [["a"], ["b"]])
            assert await index.search(["a"], 9, EVERYTHING) == {}
            await index.add([A0], [["c"]])
            await index.add([A0], [["c"]])
            assert list(await index.search(["b", "c"], 9, EVERYTHING)) == [A0]
            assert await index.document_frequencies(["b", "c"]) == (1, {"b": 0, "c": 1})

        self.drive(tmp_path, check)

    def test_removed_version_is_gone_and_others_stay(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A1, B0], [["a"], ["a"], ["a"]])
            await index.remove([1, 77])
            assert list(await index.search(["a"], 9, EVERYTHING)) == [B0]
            assert await index.document_frequencies(["a"]) == (1, {"a": 1})
            assert (await index.keys()).tolist() == [B0]

        self.drive(tmp_path, check)

    def test_scope_restricts_without_touching_scores(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, B0, B1], [["a", "a"], ["a", "b"], ["b"]])
            everything = await index.search(["a", "b"], 9, EVERYTHING)
            many = frozenset(range(2, 20_000, 2))
            for scope in (ONLY_B, ALL_BUT_B, NOTHING, Scope(many, exclude=False), Scope(many, exclude=True)):
                within = {key: score for key, score in everything.items() if scope.admits(key)}
                close_to(await index.search(["a", "b"], 9, scope), within)

        self.drive(tmp_path, check)

    def test_terms_are_never_syntax(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            odd = [
                "AND",
                "OR",
                "NOT",
                "+a",
                "-a",
                "a*",
                "a~2",
                '"a',
                "terms:a",
                "[a",
                "(",
                "\\",
                "\0",
                "😀",
                "猫",
                "a^9",
            ]
            odd += ["x" * 300, "key:1", "*:*", "/a/", "'", "e\u0301"]
            await index.add([chunk_key(i, 0) for i in range(1, len(odd) + 1)], [[term] for term in odd])
            for i, term in enumerate(odd, start=1):
                assert list(await index.search([term], 99, EVERYTHING)) == [chunk_key(i, 0)], term

        self.drive(tmp_path, check)

    def test_query_of_ten_thousand_terms(self, tmp_path: Path) -> None:
        async def check(index: Bm25) -> None:
            await index.add([A0, A1], [["t7", "t9999"], ["t7", "other"]])
            assert list(await index.search([f"t{i}" for i in range(10_000)], 9, EVERYTHING)) == [A0, A1]

        self.drive(tmp_path, check)


class DurableLexicalIndexContract(LexicalIndexContract):
    """What a `LexicalIndex` on a disk does besides."""

    def test_contents_are_there_after_reopening(self, tmp_path: Path) -> None:
        async def write(index: Bm25) -> None:
            await index.add([A0, A1, B0], [["a"], ["b"], ["a"]])
            await index.remove([2])

        async def check(index: Bm25) -> None:
            assert (await index.keys()).tolist() == [A0, A1]
            assert list(await index.search(["a"], 9, EVERYTHING)) == [A0]

        self.drive(tmp_path, write)
        self.drive(tmp_path, check)
