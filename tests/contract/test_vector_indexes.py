"""The vector suite over the fake and Milvus Lite, and what is Milvus' own."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragstead.adapters.milvus import MilvusServer
from ragstead.adapters.milvus_lite import MilvusLiteProcess
from ragstead.errors import IndexMismatch, StoreInUse, Unavailable
from ragstead.model import EVERYTHING, Scope, chunk_key
from ragstead.testing.contracts import AXES, DIM, DurableVectorIndexContract, VectorIndexContract, Vectors
from ragstead.testing.fakes import InlinePool, MemoryVectors


@asynccontextmanager
async def milvus_lite(folder: Path) -> AsyncIterator[MilvusServer]:
    process = MilvusLiteProcess(folder / "vectors.db")
    try:
        server = await MilvusServer.connect(process.uri, InlinePool())
        yield server
        await server.close()
    finally:
        process.close()


class TestMemoryVectors(VectorIndexContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Vectors]:
        yield MemoryVectors(DIM)


class TestMilvusLite(DurableVectorIndexContract):
    @asynccontextmanager
    async def opened(self, folder: Path) -> AsyncIterator[Vectors]:
        async with milvus_lite(folder) as server:
            yield await server.index("contract", DIM)


def test_indexes_are_made_listed_and_dropped_by_name(tmp_path: Path) -> None:
    async def check() -> None:
        async with milvus_lite(tmp_path) as server:
            await (await server.index("b", DIM)).add([1], AXES[:1])
            await server.index("a", DIM)
            assert await server.names() == ["a", "b"]
            wider = await server.index("a", 5)
            with pytest.raises(IndexMismatch, match="width 4, not 5"):
                await wider.add([1], np.ones((1, 5), dtype=np.float32))
            await wider.remove([1])  # what another model made can still be forgotten
            await server.drop("b")
            await server.drop("b")
            assert (await (await server.index("b", DIM)).keys()).tolist() == []

    asyncio.run(check())


def test_server_that_died_is_unavailable(tmp_path: Path) -> None:
    async def check() -> None:
        process = MilvusLiteProcess(tmp_path / "vectors.db")
        server = await MilvusServer.connect(process.uri, InlinePool(), timeout_s=1)
        await server.ping()
        process.close()
        assert not process.is_running()
        with pytest.raises(Unavailable, match="is it running"):
            await server.ping()

    asyncio.run(check())


def test_second_owner_of_the_file_is_turned_away(tmp_path: Path) -> None:
    process = MilvusLiteProcess(tmp_path / "vectors.db")
    try:
        with pytest.raises(StoreInUse, match="another process"):
            MilvusLiteProcess(tmp_path / "vectors.db", timeout_s=0.2)
    finally:
        process.close()


def test_long_folder_name_gets_its_socket_elsewhere(tmp_path: Path) -> None:
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    process = MilvusLiteProcess(folder / "vectors.db")
    assert str(folder) not in process.uri
    process.close()


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
import numpy as np
from ragstead.adapters.milvus import MilvusServer
from ragstead.adapters.milvus_lite import MilvusLiteProcess
from ragstead.testing.fakes import InlinePool

async def main() -> None:
    process = MilvusLiteProcess(Path(sys.argv[1]) / "vectors.db")
    server = await MilvusServer.connect(process.uri, InlinePool())
    index = await server.index("killed", 4)
    for start in range(0, 50, 10):
        await index.add(range(start, start + 10), np.tile(np.eye(4, dtype=np.float32)[0], (10, 1)))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


def test_acknowledged_vectors_survive_kill_9_and_no_server_is_left(tmp_path: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False, timeout=60)
    assert ended.returncode == -signal.SIGKILL

    async def check() -> None:
        async with milvus_lite(tmp_path) as server:
            assert (await (await server.index("killed", DIM)).keys()).tolist() == list(range(50))
            assert servers_on(tmp_path) <= 1

    asyncio.run(check())
    assert servers_on(tmp_path) == 0


def servers_on(folder: Path) -> int:
    lines = subprocess.run(["ps", "-A", "-o", "args"], capture_output=True, text=True, check=True).stdout
    return sum(str(folder) in line and "/milvus " in line for line in lines.splitlines())


vectors = st.lists(st.integers(-9, 9), min_size=DIM, max_size=DIM).filter(any).map(np.array)


@given(
    stored=st.lists(vectors, min_size=1, max_size=20),
    query=vectors,
    k=st.integers(1, 25),
    versions=st.frozensets(st.integers(0, 4)),
    exclude=st.booleans(),
)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_milvus_lite_agrees_with_the_fake(
    tmp_path_factory: pytest.TempPathFactory,
    stored: list[np.ndarray],
    query: np.ndarray,
    k: int,
    versions: frozenset[int],
    exclude: bool,
) -> None:
    rows = np.stack([v / np.linalg.norm(v) for v in stored]).astype(np.float32)
    asked = (query / np.linalg.norm(query)).astype(np.float32)
    keys = [chunk_key(i % 5, i) for i in range(len(rows))]

    async def check() -> None:
        fake = MemoryVectors(DIM)
        async with milvus_lite(tmp_path_factory.mktemp("milvus")) as server:
            real = await server.index("property", DIM)
            for index in (fake, real):
                await index.add(keys, rows)
            for scope in (EVERYTHING, Scope(versions, exclude=exclude)):
                expected, found = [await index.search(asked, k, scope) for index in (fake, real)]
                assert np.allclose(list(found.values()), list(expected.values()), atol=1e-5)
            scores = await fake.score(asked, keys)
            found = await real.score(asked, keys)
            assert set(found) == set(scores)
            assert all(abs(found[key] - scores[key]) < 1e-5 for key in keys)

    asyncio.run(check())


def test_index_whose_making_was_cut_short_is_completed_when_it_is_opened(tmp_path: Path) -> None:
    async def check() -> None:
        lite = MilvusLiteProcess(tmp_path / "vectors.db")
        server = await MilvusServer.connect(lite.uri, InlinePool())
        await server.index("cut", 4)
        await server.run("cut", lambda client: client.release_collection("cut"))
        await server.run("cut", lambda client: client.drop_index("cut", "vector"))
        index = await server.index("cut", 4)
        vector = np.array([1, 0, 0, 0], dtype=np.float32)
        await index.add([1 << 20], vector[None])
        assert await index.search(vector, 1, EVERYTHING) == {1 << 20: pytest.approx(1.0)}
        await server.close()
        lite.close()

    asyncio.run(check())
