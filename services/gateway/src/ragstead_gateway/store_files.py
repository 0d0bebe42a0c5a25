"""`/v1/vector_stores/{store}/files`, as OpenAI has them: documents by the uploads they were made of."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Response
from fastapi import Query as InQuery

from ragstead.errors import InvalidRequest, NotFound
from ragstead.model import Collection, Document
from ragstead.wire import (
    DeletedView,
    SearchContent,
    VectorStoreContentView,
    VectorStoreFileBody,
    VectorStoreFileChange,
    VectorStoreFileList,
    VectorStoreFileView,
)
from ragstead_gateway.attaching import attach, document_of
from ragstead_gateway.examples import STORE_FILE, STORE_FILE_CHANGE
from ragstead_gateway.facade import Platform
from ragstead_gateway.files import FileId, extracted_text
from ragstead_gateway.paging import STEP, Order, PageQuery, cut, slice_after, walk
from ragstead_gateway.stores import StoreId
from ragstead_gateway.views import FileStatus, file_status, read_attributes, store_file_view
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

_PATH = "/v1/vector_stores/{store}/files"


class StoreFilesQuery(PageQuery):
    """Which part of the list.

    Attributes:
        order: By time of creation, which reads the whole list; without it, by document id, which doesn't.
        filter: The status wanted.
    """

    order: Order | None = None  # type: ignore[assignment]
    filter: Literal["in_progress", "completed", "failed", "cancelled"] | None = None


def store_files_router(platform: Platform) -> APIRouter:
    """Return the routes under `/v1/vector_stores/{store}/files`."""
    router = APIRouter(route_class=ServiceRoute, tags=["vector stores"])
    _add_lists(router, platform)
    _add_singles(router, platform)
    _add_content(router, platform)
    return router


def _add_lists(router: APIRouter, platform: Platform) -> None:
    @router.post(_PATH, response_model=VectorStoreFileView, responses=errors(404))
    async def create_vector_store_file(
        store: StoreId, body: Annotated[VectorStoreFileBody, Body(openapi_examples=STORE_FILE)]
    ) -> Response:
        """Make a document of an upload."""
        collection = await platform.collections.find(store)
        attributes = read_attributes(body.attributes)
        document = await attach(platform, collection, body.file_id, attributes, body.document_id)
        return JsonResponse(store_file_view(document, collection.collection_id))

    @router.get(_PATH, response_model=VectorStoreFileList, responses=errors(404))
    async def list_vector_store_files(store: StoreId, query: Annotated[StoreFilesQuery, InQuery()]) -> Response:
        """List the files of a collection and where they stand."""
        collection = await platform.collections.find(store)
        documents, has_more = await _page(platform, collection, query)
        return JsonResponse(file_list(documents, collection, has_more=has_more))


def _add_singles(router: APIRouter, platform: Platform) -> None:
    @router.get(_PATH + "/{file_id}", response_model=VectorStoreFileView, responses=errors(404))
    async def retrieve_vector_store_file(store: StoreId, file_id: FileId) -> Response:
        """Show a file and where it stands."""
        collection = await platform.collections.find(store)
        return JsonResponse(store_file_view(await document_of(platform, collection, file_id), collection.collection_id))

    @router.post(_PATH + "/{file_id}", response_model=VectorStoreFileView, responses=errors(404))
    async def update_vector_store_file(
        store: StoreId,
        file_id: FileId,
        body: Annotated[VectorStoreFileChange, Body(openapi_examples=STORE_FILE_CHANGE)],
    ) -> Response:
        """Replace a file's attributes, effective for the next search."""
        collection = await platform.collections.find(store)
        document = await document_of(platform, collection, file_id)
        attributes = read_attributes(body.attributes)
        changed = await platform.documents.set_attributes(collection.collection_id, document.document_id, attributes)
        return JsonResponse(store_file_view(changed, collection.collection_id))

    @router.delete(_PATH + "/{file_id}", response_model=DeletedView, responses=errors(404))
    async def delete_vector_store_file(store: StoreId, file_id: FileId) -> Response:
        """Take a file out of a collection; the upload stays."""
        collection = await platform.collections.find(store)
        await document_of(platform, collection, file_id)
        for document in await platform.files.documents_of(file_id):
            if document.collection_id == collection.collection_id:
                await platform.ingestor.delete(collection.collection_id, document.document_id)
        return JsonResponse(DeletedView(id=file_id, object="vector_store.file.deleted"))


def _add_content(router: APIRouter, platform: Platform) -> None:
    @router.get(_PATH + "/{file_id}/content", response_model=VectorStoreContentView, responses=errors(404))
    async def retrieve_vector_store_file_content(store: StoreId, file_id: FileId) -> Response:
        """Return the extracted text in which all offsets count."""
        collection = await platform.collections.find(store)
        await document_of(platform, collection, file_id)
        text = await extracted_text(platform, file_id, collection.collection_id)
        return JsonResponse(VectorStoreContentView(data=[SearchContent(text=text)]))


def file_list(documents: list[Document], collection: Collection, *, has_more: bool) -> VectorStoreFileList:
    """Return a page of a collection's files."""
    views = [store_file_view(document, collection.collection_id) for document in documents]
    first_id, last_id = (views[0].id, views[-1].id) if views else (None, None)
    return VectorStoreFileList(data=views, first_id=first_id, last_id=last_id, has_more=has_more)


async def _page(platform: Platform, collection: Collection, query: StoreFilesQuery) -> tuple[list[Document], bool]:
    if query.order is None:
        begin = None if query.after is None else await _document_id(platform, collection, query.after)
        return await cut(_wanted(platform, collection, query.filter, begin), query.limit)
    everything = [document async for document in _wanted(platform, collection, query.filter, None)]
    everything.sort(key=lambda one: (one.created_at, one.document_id), reverse=query.order == "desc")
    return slice_after(everything, query.after, query.limit, lambda one: one.file_id)


async def _wanted(
    platform: Platform, collection: Collection, status: FileStatus | None, begin: str | None
) -> AsyncIterator[Document]:
    async def read(after: str | None) -> list[Document]:
        return await platform.documents.list(collection.collection_id, limit=STEP, after=after or begin)

    async for document in walk(read, lambda one: one.document_id):
        if status in (None, file_status(document)):
            yield document


async def _document_id(platform: Platform, collection: Collection, file_id: str) -> str:
    try:
        return (await document_of(platform, collection, file_id)).document_id
    except NotFound as exc:
        raise InvalidRequest(f"after: {exc}", param="after") from exc
