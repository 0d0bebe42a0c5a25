"""Blobs in a directory: whole or not there, one for the same bytes, named in the order in which they came."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import pytest

from ragstead.adapters.directory_blobs import DirectoryBlobs
from ragstead.adapters.thread_pool import ThreadWorkPool
from ragstead.errors import NotFound, Unavailable


def names_of(blobs: list[bytes]) -> list[str]:
    return [hashlib.sha256(data).hexdigest() for data in blobs]


def test_many_are_stored_in_their_order_and_the_same_bytes_once(tmp_path: Path) -> None:
    given = [b"%d" % (n % 70) for n in range(100)]
    pool = ThreadWorkPool(4)
    store = DirectoryBlobs(tmp_path, pool)

    async def run() -> None:
        assert await store.put_many(given) == names_of(given)
        assert await store.put(b"7") == names_of([b"7"])[0]
        assert await store.put_many([]) == []
        assert await store.stored() == set(names_of(given))

    asyncio.run(run())
    pool.close()
    assert [store.path(name).read_bytes() for name in names_of(given)] == given
    assert len([path for path in tmp_path.rglob("*") if path.is_file()]) == 70


def test_disk_that_takes_no_more_is_said_and_what_was_stored_stays(tmp_path: Path) -> None:
    pool = ThreadWorkPool(2)
    store = DirectoryBlobs(tmp_path, pool)
    (name,) = names_of([b"no room"])
    (tmp_path / name[:2]).write_bytes(b"a file where a folder should be")
    with pytest.raises(Unavailable, match="7 bytes can't be stored"):
        asyncio.run(store.put_many([b"first", b"no room"]))
    pool.close()
    assert store.path(names_of([b"first"])[0]).read_bytes() == b"first"
    with pytest.raises(NotFound):
        store.path(name)
