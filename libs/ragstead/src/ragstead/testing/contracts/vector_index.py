"""The suite of `VectorIndex`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import numpy as np

from ragstead.errors import IndexMismatch
from ragstead.model import EVERYTHING, Scope, chunk_key
from ragstead.ports.vector_index import IndexContents, VectorIndex
from ragstead.testing.contracts.expectations import (
    A0,
    A1,
    ALL_BUT_B,
    B0,
    B1,
    C0,
    NOTHING,
    ONLY_B,
    close_to,
    expected,
)

DIM = 4
AXES = np.eye(DIM, dtype=np.float32)


class Vectors(VectorIndex, IndexContents, Protocol):
    """What the vector suite drives."""


class VectorIndexContract:
    """What any `VectorIndex` does; subclasses define `opened`."""

    def opened(self, folder: Path) -> AbstractAsyncContextManager[Vectors]:
        """Open the index in `folder`, of width `DIM`; empty where the folder is."""
        raise AssertionError("a suite says how its index is opened")

    def drive(self, folder: Path, check: Callable[[Vectors], Awaitable[None]]) -> None:
        """Run `check` on the index in `folder`."""

        async def run() -> None:
            async with self.opened(folder) as index:
                await check(index)

        asyncio.run(run())

    def test_empty_index_finds_nothing(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            assert await index.search(AXES[0], 3, EVERYTHING) == {}
            assert await index.score(AXES[0], [A0]) == {}
            assert (await index.keys()).tolist() == []
            await index.add([], np.empty((0, DIM), dtype=np.float32))
            await index.remove([])
            await index.remove([1])

        self.drive(tmp_path, check)

    def test_search_orders_by_cosine_then_key(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            half = (AXES[0] + AXES[1]) / np.sqrt(2, dtype=np.float32)
            await index.add([C0, B0, A1, A0], np.stack([AXES[0], half, AXES[0], -AXES[0]]))
            close_to(await index.search(AXES[0], 9, EVERYTHING), {A1: 1.0, C0: 1.0, B0: 0.5**0.5, A0: -1.0})

        self.drive(tmp_path, check)

    def test_ties_at_the_end_go_to_the_lower_keys(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            keys = [chunk_key(9 - i // 10, i) for i in range(50)]
            await index.add(keys, np.tile(AXES[0], (50, 1)))
            assert list(await index.search(AXES[0], 3, EVERYTHING)) == sorted(keys)[:3]

        self.drive(tmp_path, check)

    def test_k_above_and_below_the_size(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            await index.add([A0, A1, B0], AXES[:3])
            assert len(await index.search(AXES[0], 1000, EVERYTHING)) == 3
            close_to(await index.search(AXES[0], 1, EVERYTHING), {A0: 1.0})
            assert await index.search(AXES[0], 0, EVERYTHING) == {}

        self.drive(tmp_path, check)

    def test_added_key_replaces_and_repeats_are_harmless(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            await index.add([A0, A0], np.stack([AXES[0], AXES[1]]))
            await index.add([A0], AXES[2:3])
            await index.add([A0], AXES[2:3])
            close_to(await index.search(AXES[2], 9, EVERYTHING), {A0: 1.0})

        self.drive(tmp_path, check)

    def test_removed_version_is_gone_and_others_stay(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            await index.add([A0, A1, B0], AXES[:3])
            await index.remove([1, 77])
            assert list(await index.search(AXES[0], 9, EVERYTHING)) == [B0]
            assert (await index.keys()).tolist() == [B0]
            await index.add([A0], AXES[:1])
            assert (await index.keys()).tolist() == [A0, B0]

        self.drive(tmp_path, check)

    def test_scope_restricts_the_search_itself(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            await index.add([A0, A1, B0, B1], np.stack([AXES[0], AXES[0], AXES[1], AXES[2]]))
            assert list(await index.search(AXES[0], 2, ONLY_B)) == [B0, B1]
            assert list(await index.search(AXES[0], 9, ALL_BUT_B)) == [A0, A1]
            assert await index.search(AXES[0], 9, NOTHING) == {}

        self.drive(tmp_path, check)

    def test_scope_of_ten_thousand_versions(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            await index.add([A0, B0, C0], AXES[:3])
            many = frozenset(range(2, 20_000, 2))
            assert list(await index.search(AXES[0], 9, Scope(many, exclude=False))) == [B0]
            assert list(await index.search(AXES[0], 9, Scope(many, exclude=True))) == [A0, C0]

        self.drive(tmp_path, check)

    def test_score_leaves_out_absent_keys(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            await index.add([A0, A1, B0], AXES[:3])
            close_to(await index.score(AXES[1], [C0, B0, A1]), {A1: 1.0, B0: 0.0})
            assert await index.score(AXES[1], []) == {}

        self.drive(tmp_path, check)

    def test_score_takes_thousands_of_keys(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            keys = [chunk_key(1, i) for i in range(2500)]
            await index.add(keys, np.tile(AXES[0], (2500, 1)))
            assert list(await index.score(AXES[0], keys[::-1])) == keys

        self.drive(tmp_path, check)

    def test_wrong_width_is_an_index_mismatch(self, tmp_path: Path) -> None:
        async def check(index: Vectors) -> None:
            wide = np.ones((1, DIM + 1), dtype=np.float32)
            with expected(IndexMismatch):
                await index.add([A0], wide)
            with expected(IndexMismatch):
                await index.search(wide[0], 1, EVERYTHING)

        self.drive(tmp_path, check)


class DurableVectorIndexContract(VectorIndexContract):
    """What a `VectorIndex` on a disk does besides."""

    def test_contents_are_there_after_reopening(self, tmp_path: Path) -> None:
        async def write(index: Vectors) -> None:
            await index.add([A0, A1, B0], AXES[:3])
            await index.remove([2])

        async def check(index: Vectors) -> None:
            close_to(await index.search(AXES[1], 9, EVERYTHING), {A1: 1.0, A0: 0.0})

        self.drive(tmp_path, write)
        self.drive(tmp_path, check)
