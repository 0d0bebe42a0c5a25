"""A disk that fills up at some moment of an ingestion: it is said, nothing is lost, and work goes on with room."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragstead.bootstrap.platform import Platform, open_platform
from ragstead.errors import Unavailable
from ragstead.model import State
from ragstead.pipelines.ingest import Submission
from ragstead.pipelines.retrieve import SearchRequest
from ragstead.settings import load_settings

DISK_BYTES = 64 << 20
DOCUMENTS = 120


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; it takes root and the right to mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def submission(number: int) -> Submission:
    text = "\n\n".join(
        f"Lot {number} of barrel {part} ripens {part * number % 89} days in the cellar. " * 4 for part in range(12)
    )
    return Submission(f"d{number:03d}", f"d{number:03d}.txt", text.encode(), plain_text=True)


def fill_but(folder: Path, room_bytes: int) -> Path:
    stats = os.statvfs(folder)
    ballast = folder / "ballast"
    with ballast.open("wb") as out:
        left = stats.f_bavail * stats.f_frsize - room_bytes
        while left > 0:
            left -= out.write(b"\0" * min(left, 1 << 20))
    return ballast


async def hand_in(platform: Platform, numbers: list[int]) -> list[int]:
    """Hand documents in; return those that were refused for want of room."""
    refused = []
    for number in numbers:
        try:
            await platform.ingestor.submit("default", [submission(number)])
        except Unavailable:
            refused.append(number)
    return refused


async def settled(platform: Platform, within_s: float = 60) -> bool:
    try:
        await asyncio.wait_for(platform.ingestor.settle("default"), within_s)
    except TimeoutError:
        return False
    return True


async def settled_or_in_trouble(platform: Platform) -> None:
    for _ in range(120):
        if await settled(platform, 0.5) or not (await platform.readiness())["ingestion"][0]:
            return
    raise AssertionError("work that can't be done is not said to be in trouble")


@pytest.mark.parametrize("room_bytes", [16 << 10, 700 << 10, 2 << 20])
def test_full_disk_loses_nothing(disk: Path, room_bytes: int) -> None:
    async def check() -> None:
        settings = load_settings(None, data_dir=disk / "store")
        async with open_platform(settings) as platform:
            assert await hand_in(platform, list(range(10))) == []
            assert await settled(platform)
            ballast = fill_but(disk, room_bytes)
            refused = await hand_in(platform, list(range(10, DOCUMENTS)))
            await settled_or_in_trouble(platform)
            found = await platform.retriever.search(SearchRequest("Lot 3 of barrel 2"))
            assert found.hits
            ballast.unlink()
            assert await hand_in(platform, refused) == []
            assert await settled(platform), await platform.readiness()
            collection = await platform.collections.find("default")
            assert collection.counts == {State.INDEXED: DOCUMENTS}
            for number in (0, 50, DOCUMENTS - 1):
                hits = (await platform.retriever.search(SearchRequest(f"Lot {number} of barrel 5"))).hits
                assert f"d{number:03d}" in {hit.stored.document_id for hit in hits}
            index = await platform.indexes.open(collection.index_name)
            keys = [(await side.keys()).tolist() for side in index.contents]
            assert keys[0] == keys[1]
        async with open_platform(settings) as platform:
            assert (await platform.collections.find("default")).counts == {State.INDEXED: DOCUMENTS}

    asyncio.run(check())
