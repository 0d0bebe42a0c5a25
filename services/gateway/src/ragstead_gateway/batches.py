"""`/v1/vector_stores/{store}/file_batches`, as OpenAI has them, without anything kept about a batch.

A batch's id says which files it is made of, so its state is read off their documents, by any process, for ever.
"""

from __future__ import annotations

import base64
import binascii
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import orjson
from fastapi import APIRouter, Body, Path, Response
from fastapi import Query as InQuery

from ragstead.errors import NotFound
from ragstead.model import PENDING_STATES, Collection, Document
from ragstead.wire import FileBatchBody, FileBatchView, VectorStoreFileList
from ragstead_gateway.attaching import attach_all, document_of
from ragstead_gateway.examples import FILE_BATCH
from ragstead_gateway.facade import Platform
from ragstead_gateway.paging import slice_after
from ragstead_gateway.store_files import StoreFilesQuery, file_list
from ragstead_gateway.stores import StoreId
from ragstead_gateway.views import FileStatus, count_files, file_status, read_attributes
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

_PATH = "/v1/vector_stores/{store}/file_batches"
_PREFIX = "vsfb_"
_MAX_PLAIN_BYTES = 1 << 20
BatchId = Annotated[str, Path(min_length=1, max_length=1 << 16)]


@dataclass(frozen=True, slots=True)
class Batch:
    """Files that were attached together.

    Attributes:
        created_at: Unix seconds.
        file_ids: The uploads, each once.
    """

    created_at: int
    file_ids: tuple[str, ...]

    @property
    def id(self) -> str:
        """The batch, written as an id: about 25 characters for each file."""
        packed = zlib.compress(orjson.dumps([self.created_at, *self.file_ids]), 9)
        return _PREFIX + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @staticmethod
    def read(batch_id: str) -> Batch:
        """Return the batch that an id stands for.

        Raises:
            NotFound: If it stands for none.
        """
        encoded = batch_id.removeprefix(_PREFIX)
        try:
            packed = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
            plain = zlib.decompressobj().decompress(packed, _MAX_PLAIN_BYTES)
            created_at, *file_ids = orjson.loads(plain)
        except (ValueError, TypeError, zlib.error, binascii.Error) as exc:
            raise NotFound("file batch", batch_id[:80]) from exc
        if not (isinstance(created_at, int) and all(isinstance(one, str) for one in file_ids)):
            raise NotFound("file batch", batch_id[:80])
        return Batch(created_at, tuple(file_ids))


def batches_router(platform: Platform) -> APIRouter:
    """Return the routes under `/v1/vector_stores/{store}/file_batches`."""
    router = APIRouter(route_class=ServiceRoute, tags=["vector stores"])
    _add_reading(router, platform)
    _add_changing(router, platform)
    return router


def _add_changing(router: APIRouter, platform: Platform) -> None:
    @router.post(_PATH, response_model=FileBatchView, responses=errors(404))
    async def create_vector_store_file_batch(
        store: StoreId, body: Annotated[FileBatchBody, Body(openapi_examples=FILE_BATCH)]
    ) -> Response:
        """Make documents of several uploads."""
        collection = await platform.collections.find(store)
        batch = Batch(int(time.time()), tuple(dict.fromkeys(body.file_ids)))
        for file_id in batch.file_ids:
            await platform.files.find(file_id)
        await attach_all(platform, collection, batch.file_ids, read_attributes(body.attributes))
        return JsonResponse(await _view(platform, collection, batch))

    @router.post(_PATH + "/{batch_id}/cancel", response_model=FileBatchView, responses=errors(404))
    async def cancel_vector_store_file_batch(store: StoreId, batch_id: BatchId) -> Response:
        """Take those of a batch's files out of the collection that are still on their way in."""
        collection, batch = await platform.collections.find(store), Batch.read(batch_id)
        for document in (await _documents(platform, collection, batch)).values():
            if document is not None and document.state in PENDING_STATES:
                await platform.ingestor.delete(collection.collection_id, document.document_id)
        return JsonResponse(await _view(platform, collection, batch))


def _add_reading(router: APIRouter, platform: Platform) -> None:
    @router.get(_PATH + "/{batch_id}", response_model=FileBatchView, responses=errors(404))
    async def retrieve_vector_store_file_batch(store: StoreId, batch_id: BatchId) -> Response:
        """Show how far a batch is; a file that is in the collection no more counts as cancelled."""
        collection = await platform.collections.find(store)
        return JsonResponse(await _view(platform, collection, Batch.read(batch_id)))

    @router.get(_PATH + "/{batch_id}/files", response_model=VectorStoreFileList, responses=errors(404))
    async def list_vector_store_file_batch_files(
        store: StoreId, batch_id: BatchId, query: Annotated[StoreFilesQuery, InQuery()]
    ) -> Response:
        """List those of a batch's files that are in the collection."""
        collection = await platform.collections.find(store)
        documents = await _documents(platform, collection, Batch.read(batch_id))
        wanted = [one for one in documents.values() if one and query.filter in (None, file_status(one))]
        if query.order == "desc":
            wanted.reverse()
        page, has_more = slice_after(wanted, query.after, query.limit, lambda one: one.file_id)
        return JsonResponse(file_list(page, collection, has_more=has_more))


async def _documents(platform: Platform, collection: Collection, batch: Batch) -> Mapping[str, Document | None]:
    found: dict[str, Document | None] = {}
    for file_id in batch.file_ids:
        try:
            found[file_id] = await document_of(platform, collection, file_id)
        except NotFound:
            found[file_id] = None
    return found


async def _view(platform: Platform, collection: Collection, batch: Batch) -> FileBatchView:
    counts: dict[FileStatus, int] = {}
    for document in (await _documents(platform, collection, batch)).values():
        status: FileStatus = file_status(document) if document is not None else "cancelled"
        counts[status] = counts.get(status, 0) + 1
    overall = next((one for one in ("in_progress", "cancelled", "completed") if counts.get(one)), "failed")
    return FileBatchView(
        id=batch.id,
        created_at=batch.created_at,
        vector_store_id=collection.collection_id,
        status=overall,
        file_counts=count_files(counts),
    )
