"""The BM25 suite over the fake, tantivy and rank_bm25, and how far their scores agree.

All three use Lucene's idf, ``ln(1 + (N - n + 0.5) / (n + 0.5))``. rank_bm25 computes in double precision
like the fake, so the two agree to rounding. tantivy keeps a text's length in one byte, exact to 40 and
rounded down by less than 1/8 above, so the scores of longer texts come out higher, by at most the share
that the length has in the denominator (below 1/8); and it computes in single precision. It also counts
removed texts in `N`, `n` and the mean length until it merges, so the comparison only adds.
"""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragstead.adapters.rank_bm25_index import RankBm25Index
from ragstead.adapters.tantivy_index import TantivyIndex
from ragstead.errors import Unavailable
from ragstead.model import EVERYTHING, Scope, chunk_key
from ragstead.testing.contracts import Bm25, DurableLexicalIndexContract, LexicalIndexContract
from ragstead.testing.fakes import InlinePool, MemoryBm25


class TestMemoryBm25(LexicalIndexContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Bm25]:
        yield MemoryBm25()


class TestTantivy(DurableLexicalIndexContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Bm25]:
        index = TantivyIndex(folder / "bm25", InlinePool())
        yield index
        await index.close()


class TestRankBm25(DurableLexicalIndexContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Bm25]:
        yield RankBm25Index(folder / "texts.jsonl", InlinePool())


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from ragstead.adapters.{module} import {name}
from ragstead.testing.fakes import InlinePool

async def main() -> None:
    index = {name}(Path(sys.argv[1]), InlinePool())
    for i in range(1, 30):
        await index.add([i << 20, i << 20 | 1], [["a", f"t{{i}}"], ["b"]])
    await index.remove([29])
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


@pytest.mark.parametrize("adapter", [TantivyIndex, RankBm25Index])
def test_writes_survive_kill_9_and_the_next_writer_is_not_blocked(
    tmp_path: Path, adapter: type[TantivyIndex] | type[RankBm25Index]
) -> None:
    code = KILLED.format(module=adapter.__module__.rpartition(".")[2], name=adapter.__name__)
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path / "x")], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL

    async def check() -> None:
        index = adapter(tmp_path / "x", InlinePool())
        assert len(await index.keys()) == 56
        await index.add([1], [["t1"]])
        assert list(await index.search(["t1"], 9, EVERYTHING)) == [1, 1 << 20]

    asyncio.run(check())


def test_second_writer_of_a_tantivy_directory_is_turned_away(tmp_path: Path) -> None:
    async def check() -> None:
        first, second = TantivyIndex(tmp_path, InlinePool()), TantivyIndex(tmp_path, InlinePool())
        await first.add([1], [["a"]])
        with pytest.raises(Unavailable, match="could not add"):
            await second.add([2], [["a"]])
        await first.close()
        await second.add([2], [["a"]])

    asyncio.run(check())


def test_damaged_tantivy_directory_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text("{")
    with pytest.raises(Unavailable, match="rebuild"):
        TantivyIndex(tmp_path, InlinePool())


def test_damaged_rank_bm25_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("{")
    with pytest.raises(Unavailable, match="can't be used"):
        RankBm25Index(tmp_path / "x", InlinePool())


words = st.sampled_from([f"w{i}" for i in range(12)])


@given(
    texts=st.lists(st.lists(words, max_size=120), min_size=1, max_size=20),
    query=st.lists(words, min_size=1, max_size=5),
    versions=st.frozensets(st.integers(0, 4)),
    exclude=st.booleans(),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_engines_agree_with_the_formula(
    tmp_path_factory: pytest.TempPathFactory,
    texts: list[list[str]],
    query: list[str],
    versions: frozenset[int],
    exclude: bool,
) -> None:
    folder = tmp_path_factory.mktemp("bm25")
    keys = [chunk_key(i % 5, i) for i in range(len(texts))]
    scope = Scope(versions, exclude=exclude)
    longest = max(map(len, texts))

    async def check() -> None:
        exact = MemoryBm25()
        engine = TantivyIndex(folder / "tantivy", InlinePool())
        reference = RankBm25Index(folder / "texts.jsonl", InlinePool())
        for index in (exact, engine, reference):
            await index.add(keys, texts)
        wanted = await exact.search(query, 99, scope)
        for index, tolerance in ((reference, 1e-9), (engine, 1e-5 if longest <= 40 else 0.125)):
            found = await index.search(query, 99, scope)
            assert set(found) == set(wanted)
            assert all(found[key] == pytest.approx(wanted[key], rel=tolerance) for key in wanted)
            assert await index.document_frequencies(set(query)) == await exact.document_frequencies(set(query))
        everywhere = await exact.score(query, keys)
        assert await reference.score(query, keys) == pytest.approx(everywhere, rel=1e-9)

    asyncio.run(check())
