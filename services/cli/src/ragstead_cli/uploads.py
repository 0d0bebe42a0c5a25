"""Hands documents in and waits for what becomes of them."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ragstead.errors import Conflict, InvalidRequest, TooLarge, Unavailable
from ragstead_cli.api import Api, Json, store_path
from ragstead_cli.beir import CorpusDocument
from ragstead_cli.errors import Broken, Missing
from ragstead_cli.in_flight import in_flight
from ragstead_cli.sources import Failure, Source, readable

Attributes = Mapping[str, str | float | bool]
Batch = list[CorpusDocument]

_DOCUMENTS_A_BATCH = 200
_CHARACTERS_A_BATCH = 2_000_000
_BATCHES_IN_FLIGHT = 3
_LOOK_ONE_BY_ONE = 20
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 0.4
_PATIENCE_S = 20.0
"""Seconds without any progress after which the platform is asked whether it is well."""
_OF_ONE_DOCUMENT = (InvalidRequest, TooLarge, Conflict, Broken)
"""Answers that concern what was sent: the rest goes on. Others end the run."""


@dataclass(slots=True)
class Report:
    """What became of a run's documents.

    Attributes:
        sent: Path by document id, of those that were accepted.
        unchanged: Those that the platform had already.
        failures: What was not read, not accepted or not indexed.
        counts: Documents by `indexed`, `unchanged`, `empty`, `failed`.
        chunks: Chunks of this run's documents, unchanged ones among them.
    """

    sent: dict[str, str] = field(default_factory=dict)
    unchanged: set[str] = field(default_factory=set)
    failures: list[Failure] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"indexed": 0, "unchanged": 0, "empty": 0, "failed": 0})
    chunks: int = 0
    started: float = field(default_factory=time.monotonic)

    def fail(self, path: str, reason: str) -> None:
        """Count a failure."""
        self.failures.append(Failure(path, " ".join(reason.split()) or "unknown"))
        self.counts["failed"] += 1

    def document(self) -> Json:
        """The report as `--json` prints it."""
        failures = [{"path": failure.path, "reason": failure.reason} for failure in self.failures]
        seconds = round(time.monotonic() - self.started, 3)
        return {"documents": self.counts, "chunks": self.chunks, "failures": failures, "seconds": seconds}


class Uploader:
    """Hands documents in to one collection.

    Args:
        api: The platform.
        collection: Made by the platform where it is missing.
        attributes: Given to every document, over its own.
        max_bytes: Files over it are not read.
    """

    def __init__(self, api: Api, collection: str, attributes: Attributes, *, max_bytes: int) -> None:
        self._api = api
        self._collection = collection
        self._attributes = attributes
        self._max_bytes = max_bytes
        self.report = Report()

    async def files(self, found: Iterable[Source | Failure]) -> AsyncIterator[int]:
        """Hand files in, several at a time; yields 1 after each file or failure."""
        async for _ in in_flight(found, self._file, limit=4):
            yield 1

    async def texts(self, found: Iterable[CorpusDocument | Failure]) -> AsyncIterator[int]:
        """Hand texts in, by batches of some hundreds; yields how many after each batch.

        The first batch goes alone: it may have to make the collection, and those beside it would overtake it.
        """
        batches = self._batches(found)
        for first in itertools.islice(batches, 1):
            yield await self._batch(first)
        async for size in in_flight(batches, self._batch, limit=_BATCHES_IN_FLIGHT):
            yield size

    async def settle(self, progress: Callable[[int], None]) -> Report:
        """Wait until nothing of the collection is on its way, calling `progress` with what is; return the report.

        Raises:
            Unavailable: If nothing moves and the platform says that a part of it is not ready.
        """
        if self.report.sent:
            await self._nothing_waits(progress)
        async for view in self._views():
            self._count(view)
        return self.report

    async def _nothing_waits(self, progress: Callable[[int], None]) -> None:
        began = moved = time.monotonic()
        first = before = -1
        while True:
            store = await self._api.get(store_path(self._collection))
            waiting = int(store["file_counts"]["in_progress"])
            progress(waiting)
            if not waiting:
                return
            first = max(first, waiting)
            if waiting != before:
                before, moved = waiting, time.monotonic()
            elif time.monotonic() - moved > _PATIENCE_S:
                await self._check_health(waiting)
                moved = time.monotonic()
            await asyncio.sleep(_pause_s(time.monotonic() - began, first - waiting, waiting))

    async def _check_health(self, waiting: int) -> None:
        """Give up where nothing moves and the platform says why."""
        dependencies = (await self._api.probe("/health/ready"))["dependencies"]
        trouble = [f"{name}: {found['detail']}" for name, found in dependencies.items() if not found["ready"]]
        if trouble:
            raise Unavailable(
                "ingestion",
                f"{waiting} documents wait in {self._collection!r} and nothing moves ({'; '.join(trouble)}); "
                "they are kept, and go on when that is mended",
            )

    async def _file(self, source: Source | Failure) -> None:
        if isinstance(source, Failure):
            self.report.fail(source.path, source.reason)
            return
        shown = readable(str(source.path))
        try:
            data = await asyncio.to_thread(self._read, source)
            params: dict[str, str | int] = {"filename": source.filename}
            if self._attributes:
                params["attributes"] = json.dumps(self._attributes)
            path = store_path(self._collection, "documents", source.document_id)
            view = await self._sent("PUT", path, params=params, content=data)
        except _OF_ONE_DOCUMENT as error:
            self.report.fail(shown, str(error))
        except OSError as error:
            self.report.fail(shown, f"it can't be read: {error.strerror}")
        else:
            self._accepted(view, shown)

    async def _sent(self, method: str, path: str, **what: Any) -> Json:
        try:
            return await self._api.send(method, path, **what)
        except Conflict:  # two first documents at once both make the collection: now it is there
            return await self._api.send(method, path, **what)

    def _read(self, source: Source) -> bytes:
        with source.path.open("rb") as file:
            data = file.read(self._max_bytes + 1)
        if len(data) > self._max_bytes:
            raise TooLarge(f"it is over the limit of {self._max_bytes} bytes (deployment.max_upload_bytes)")
        return data

    async def _batch(self, batch: Batch) -> int:
        body = {"documents": [self._body(document) for document in batch]}
        try:
            answer = await self._sent("POST", store_path(self._collection, "documents"), body=body)
        except _OF_ONE_DOCUMENT as error:
            if len(batch) > 1:  # find the one that is off: the others go in
                middle = len(batch) // 2
                await self._batch(batch[:middle])
                await self._batch(batch[middle:])
            elif batch:
                self.report.fail(batch[0].where, str(error))
            return len(batch)
        where = {document.document_id: document.where for document in batch}
        for view in answer["submitted"]:
            self._accepted(view, where[view["document_id"]])
        return len(batch)

    def _body(self, document: CorpusDocument) -> Json:
        return {
            "document_id": document.document_id,
            "title": document.title,
            "text": document.text,
            "attributes": {**document.attributes, **self._attributes},
        }

    def _batches(self, found: Iterable[CorpusDocument | Failure]) -> Iterator[Batch]:
        batch: Batch = []
        size = 0
        for document in found:
            if isinstance(document, Failure):
                self.report.fail(document.path, document.reason)
                continue
            batch.append(document)
            size += len(document.text)
            if len(batch) >= _DOCUMENTS_A_BATCH or size >= _CHARACTERS_A_BATCH:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _accepted(self, view: Json, path: str) -> None:
        self.report.sent[view["document_id"]] = path
        if view["outcome"] == "unchanged":
            self.report.unchanged.add(view["document_id"])

    def _count(self, view: Json) -> None:
        document_id, state = view["document_id"], view["state"]
        path = self.report.sent.pop(document_id)
        self.report.chunks += view["chunks"]
        if state == "failed":
            self.report.fail(path, view["reason"] or "unknown")
        elif state in {"indexed", "empty"}:
            self.report.counts["unchanged" if document_id in self.report.unchanged else state] += 1
        else:
            self.report.fail(path, f"it is {state} again: someone else is changing it")

    async def _views(self) -> AsyncIterator[Json]:
        """Yield this run's documents as they stand; one that is gone again is a failure."""
        if len(self.report.sent) <= _LOOK_ONE_BY_ONE:
            for document_id in list(self.report.sent):
                try:
                    yield await self._api.get(store_path(self._collection, "documents", document_id))
                except Missing:
                    continue
        else:
            async for view in list_documents(self._api, self._collection):
                if view["document_id"] in self.report.sent:
                    yield view
        for path in self.report.sent.values():
            self.report.fail(path, "someone else deleted it")


async def list_documents(api: Api, collection: str) -> AsyncIterator[Json]:
    """Yield every document of a collection, ascending by id, a page at a time."""
    params: dict[str, Any] = {"limit": 1000}
    while True:
        page = await api.get(store_path(collection, "documents"), **params)
        for view in page["documents"]:
            yield view
        if not page["has_more"]:
            return
        params["after"] = page["last_id"]


def _pause_s(spent_s: float, done: int, waiting: int) -> float:
    """Return how long to wait for the rest before looking again: a quarter of what it takes at the pace so far."""
    left_s = spent_s * waiting / done if done else spent_s
    return min(max(_SHORTEST_PAUSE_S, left_s / 4), _LONGEST_PAUSE_S)
