"""The worker behind ingestion: it moves versions from state to state, and resumes where a killed one stopped.

Its lanes run beside each other, each at a batch of its own: one parses, two embed and store, so that one stores while
the other embeds and the encoder is never without work, and one sweeps. What a lane has in hand no other one touches.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ragstead.errors import RagsteadError
from ragstead.model import State, version_of
from ragstead.pipelines.ingest_indexing import Indexing
from ragstead.pipelines.ingest_parsing import Parsing
from ragstead.pipelines.ingest_parts import IngestParts
from ragstead.ports.ledger import Dead, Work

_log = logging.getLogger(__name__)

_INDEXING_LANES = 2
_FIRST_SHARE = 4
"""The first batch of a run is that part of a whole one, so that the encoder gets something to do soon."""


class IngestWorker:
    """Takes documents through their states, oldest first, in batches; one runs over a metadata database.

    A step that a fault interrupts is done again: by this worker where a part was down, by the next process where
    this one was killed. Nothing it does twice differs from once.

    Args:
        parts: What it works with.
        blob_guard: The lock under which blobs are named.
        documents_per_batch: How many documents are embedded together; more is faster, and shows them later.
        retry_s: Seconds to wait before another try when a part is down.
    """

    def __init__(
        self,
        parts: IngestParts,
        blob_guard: asyncio.Lock,
        *,
        documents_per_batch: int = 128,
        retry_s: float = 1.0,
    ) -> None:
        self._parts = parts
        self._blob_guard = blob_guard
        self._batch = documents_per_batch
        self._parse_next = self._first = max(1, documents_per_batch // _FIRST_SHARE)
        self._writing = asyncio.Lock()
        self._in_hand = _InHand(parts)
        self._parsing = Parsing(parts)
        self._indexing = Indexing(parts, self._writing)
        self._lanes = [
            _Lane(work, retry_s) for work in (self._parse_some, *[self._index_some] * _INDEXING_LANES, self._sweep_some)
        ]

    @property
    def trouble(self) -> str:
        """What keeps the worker from its work now; empty when all is well."""
        return "; ".join(dict.fromkeys(lane.trouble for lane in self._lanes if lane.trouble))

    def wake(self) -> None:
        """Make the worker look for work now."""
        for lane in self._lanes:
            lane.wake.set()

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes:
                group.create_task(lane.run())

    async def reconcile(self) -> int:
        """Make the stores hold what the metadata database says, after a process was killed.

        Chunks of versions that are not live are removed, versions of which an index lacks chunks are sent back to
        be embedded again, and blobs that nothing names are deleted. Indexes of another embedder or analysis are left
        as they are until that one runs again. Returns the number of versions that were wrong.
        """
        async with self._blob_guard:
            for sha256 in await self._parts.blobs.stored() - await self._parts.sweeping.needed_blobs():
                await self._parts.blobs.delete(sha256)
        wrong = 0
        for name, identity in (await self._parts.truth.index_names()).items():
            if identity != self._parts.index_identity:
                continue
            index = await self._parts.indexes.open(name)
            held = [_count_by_version(await contents.keys()) for contents in index.contents]
            live = await self._parts.truth.live_keys(name)
            strange = {version for side in held for version in side if version not in live}
            lost = {v for v, count in live.items() if any(side.get(v, 0) != count for side in held)}
            await index.vectors.remove(strange | lost)
            await index.lexical.remove(strange | lost)
            await self._parts.truth.reopen(lost)
            wrong += len(strange) + len(lost)
        return wrong

    async def _parse_some(self) -> bool:
        async with self._in_hand.claim(self._parse_next, State.PARSING, State.QUEUED) as works:
            full = len(works) == self._parse_next
            self._parse_next = min(2 * self._parse_next, self._batch) if full else self._first
            if not works:
                return False
            await self._parts.ledger.advance([work.version_key for work in works], State.PARSING)
            await self._parts.ledger.record(*await self._parsing.read(works))
        self.wake()
        return True

    async def _index_some(self) -> bool:
        async with self._in_hand.claim(self._batch, State.INDEXING, State.EMBEDDING) as works:
            if not works:
                return False
            await self._indexing.index(works)
        self.wake()
        return True

    async def _sweep_some(self) -> bool:
        found = await self._in_hand.free(1000)
        for dead in found:
            await self._forget_chunks(dead)
            async with self._blob_guard:
                for sha256 in await self._parts.sweeping.forget(dead):
                    await self._parts.blobs.delete(sha256)
        return bool(found)

    async def _forget_chunks(self, dead: Dead) -> None:
        async with self._writing:
            if not dead.version_keys:
                await self._parts.indexes.drop(dead.index_name)
                return
            index = await self._parts.indexes.open(dead.index_name)
            await index.vectors.remove(dead.version_keys)
            await index.lexical.remove(dead.version_keys)


class _InHand:
    """The versions that lanes are at: no other lane claims them, and no sweep takes away what is still being written.

    Claims and looks for the dead exclude each other, as a version that was alive when it was claimed may be dead when
    the claim returns.
    """

    def __init__(self, parts: IngestParts) -> None:
        self._parts = parts
        self._works: dict[int, Work] = {}
        self._looking = asyncio.Lock()

    @asynccontextmanager
    async def claim(self, limit: int, *states: State) -> AsyncIterator[list[Work]]:
        """Have at most `limit` versions in hand that nobody has, in the order of the states, until the block ends."""
        works: dict[int, Work] = {}
        async with self._looking:
            for state in states:
                found = await self._parts.ledger.claim(limit + len(self._works), state)
                free = [work for work in found if work.version_key not in self._works]
                works.update({work.version_key: work for work in free[: limit - len(works)]})
                if len(works) == limit:
                    break
            self._works.update(works)
        try:
            yield list(works.values())
        finally:
            for key in works:
                del self._works[key]

    async def free(self, limit: int) -> list[Dead]:
        """Return at most `limit` dead versions that nobody has in hand, and dead indexes of which nobody has any."""
        async with self._looking:
            found = await self._parts.sweeping.dead(limit)
            keys, names = frozenset(self._works), {work.index_name for work in self._works.values()}
        whole = [dead for dead in found if not dead.version_keys and dead.index_name not in names]
        parts = [replace(dead, version_keys=dead.version_keys - keys) for dead in found if dead.version_keys]
        return [*whole, *(dead for dead in parts if dead.version_keys)]


class _Lane:
    """Does one kind of work again and again, and waits to be woken where there was none."""

    def __init__(self, work: Callable[[], Awaitable[bool]], retry_s: float) -> None:
        self._work = work
        self._retry_s = retry_s
        self.wake = asyncio.Event()
        self.trouble = ""

    async def run(self) -> None:
        while True:
            self.wake.clear()
            try:
                worked = await self._work()
                self.trouble = ""
            except Exception as exc:  # noqa: BLE001  (outermost loop: a fault of one batch must not end ingestion)
                _log.warning(
                    "ingestion waits %.0f s: %s",
                    self._retry_s,
                    exc,
                    exc_info=not isinstance(exc, RagsteadError),
                )
                self.trouble = str(exc)
                await asyncio.sleep(self._retry_s)
                continue
            if not worked:
                await self.wake.wait()


def _count_by_version(keys: NDArray[np.int64]) -> dict[int, int]:
    versions, counts = np.unique([version_of(int(key)) for key in keys], return_counts=True)
    return {int(version): int(count) for version, count in zip(versions, counts, strict=True)}
