"""`/v1/vector_stores`, as OpenAI has them: collections, and the search in one."""

from __future__ import annotations

import re
import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Body, Path, Request, Response
from fastapi import Query as InQuery

from ragstead.errors import InvalidRequest, NotFound
from ragstead.model import Collection, Hit
from ragstead.pipelines.retrieve import SearchRequest
from ragstead.wire import (
    DeletedView,
    SearchContent,
    VectorStoreBody,
    VectorStoreChange,
    VectorStoreList,
    VectorStoreSearchBody,
    VectorStoreSearchHit,
    VectorStoreSearchView,
    VectorStoreView,
)
from ragstead_gateway.asking import check_question, read_filter
from ragstead_gateway.attaching import attach_all
from ragstead_gateway.examples import STORE, STORE_CHANGE, STORE_SEARCH
from ragstead_gateway.facade import Platform
from ragstead_gateway.paging import PageQuery, slice_after
from ragstead_gateway.views import show_attributes, store_view
from ragstead_serving.disconnects import while_connected
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

_PATH = "/v1/vector_stores"
_NAME = re.compile(r"\w[\w.\- ]{0,127}")
StoreId = Annotated[str, Path(min_length=1, description="A collection's id or name.")]


def check_store_name(name: str, param: str) -> None:
    """Refuse what can't be a new collection's name.

    Raises:
        InvalidRequest: If it has other characters than letters, digits, `_.-` and space, or looks like an id.
        NotFound: If it looks like an id, and comes from a path.
    """
    if name.startswith("vs_"):
        if param == "store":
            raise NotFound("collection", name)
        raise InvalidRequest(f"{param}: names that begin with vs_ are for ids", param=param, code="invalid_value")
    if not _NAME.fullmatch(name):
        what = "1 to 128 letters, digits, underscores, dots, hyphens and spaces, and begins with none of the last three"
        raise InvalidRequest(f"{param}: {name!r:.80} is no name; one has {what}", param=param, code="invalid_value")


def stores_router(platform: Platform) -> APIRouter:
    """Return the routes `/v1/vector_stores` and `/v1/vector_stores/{store}`."""
    router = APIRouter(route_class=ServiceRoute, tags=["vector stores"])
    _add_lists(router, platform)
    _add_singles(router, platform)
    _add_search(router, platform)
    return router


def _add_lists(router: APIRouter, platform: Platform) -> None:
    @router.post(_PATH, response_model=VectorStoreView, responses=errors(404, 409))
    async def create_vector_store(body: Annotated[VectorStoreBody, Body(openapi_examples=STORE)]) -> Response:
        """Make a collection, and documents of files that are uploaded already."""
        name = f"store-{secrets.token_hex(4)}" if body.name is None else body.name
        check_store_name(name, "name")
        for file_id in body.file_ids or ():
            await platform.files.find(file_id)
        made = await platform.create_collection(name, body.metadata or {})
        await attach_all(platform, made, body.file_ids or (), {})
        return JsonResponse(store_view(await platform.collections.find(made.collection_id)))

    @router.get(_PATH, response_model=VectorStoreList, responses=errors())
    async def list_vector_stores(query: Annotated[PageQuery, InQuery()]) -> Response:
        """List the collections."""
        found = await platform.collections.list()
        ordered = found if query.order == "asc" else found[::-1]
        page, has_more = slice_after(ordered, query.after, query.limit, _id_of)
        views = [store_view(one) for one in page]
        first_id, last_id = (views[0].id, views[-1].id) if views else (None, None)
        return JsonResponse(VectorStoreList(data=views, first_id=first_id, last_id=last_id, has_more=has_more))


def _add_singles(router: APIRouter, platform: Platform) -> None:
    @router.get(_PATH + "/{store}", response_model=VectorStoreView, responses=errors(404))
    async def retrieve_vector_store(store: StoreId) -> Response:
        """Show a collection; `file_counts.in_progress` falls to 0 when everything is settled."""
        return JsonResponse(store_view(await platform.collections.find(store)))

    @router.post(_PATH + "/{store}", response_model=VectorStoreView, responses=errors(404, 409))
    async def modify_vector_store(
        store: StoreId, body: Annotated[VectorStoreChange, Body(openapi_examples=STORE_CHANGE)]
    ) -> Response:
        """Rename a collection, or replace its metadata."""
        collection = await platform.collections.find(store)
        if body.name is not None:
            check_store_name(body.name, "name")
        changed = await platform.collections.change(collection.collection_id, name=body.name, metadata=body.metadata)
        return JsonResponse(store_view(changed))

    @router.delete(_PATH + "/{store}", response_model=DeletedView, responses=errors(404))
    async def delete_vector_store(store: StoreId) -> Response:
        """Delete a collection with its documents; uploads stay."""
        collection = await platform.collections.find(store)
        await platform.ingestor.delete_collection(collection.collection_id)
        return JsonResponse(DeletedView(id=collection.collection_id, object="vector_store.deleted"))


def _add_search(router: APIRouter, platform: Platform) -> None:
    max_chars = platform.settings.deployment.max_question_chars

    @router.post(_PATH + "/{store}/search", response_model=VectorStoreSearchView, responses=errors(404))
    async def search_vector_store(
        request: Request, store: StoreId, body: Annotated[VectorStoreSearchBody, Body(openapi_examples=STORE_SEARCH)]
    ) -> Response:
        """Find the chunks that are relevant to a query, or to any of several."""
        queries = [body.query] if isinstance(body.query, str) else body.query
        for i, query in enumerate(queries):
            check_question(query, max_chars, "query" if isinstance(body.query, str) else f"query[{i}]")
        collection = await platform.collections.find(store)
        hits, refused = await while_connected(request.receive, _search(platform, collection, queries, body))
        data = [await _hit_view(platform, collection, hit) for hit in hits]
        reason: Literal["guard_input"] | None = "guard_input" if refused else None
        return JsonResponse(
            VectorStoreSearchView(search_query=queries, data=data, refused=refused or None, reason=reason)
        )


async def _search(
    platform: Platform, collection: Collection, queries: list[str], body: VectorStoreSearchBody
) -> tuple[list[Hit], bool]:
    """Return the best hits of all queries, and whether the guard stopped one of these."""
    condition = read_filter(body.filters, "filters")
    threshold = body.ranking_options.score_threshold if body.ranking_options else 0.0
    best: dict[str, Hit] = {}
    refused = False
    for query in queries:
        asked = SearchRequest(query, collection.collection_id, body.max_num_results, None, condition)
        found = await platform.retriever.search(asked)
        refused = refused or bool(found.refused)
        for hit in found.hits:
            have = best.get(hit.stored.chunk_id)
            if hit.score >= threshold and (have is None or hit.score > have.score):
                best[hit.stored.chunk_id] = hit
    return sorted(best.values(), key=lambda hit: -hit.score)[: body.max_num_results], refused


async def _hit_view(platform: Platform, collection: Collection, hit: Hit) -> VectorStoreSearchHit:
    try:
        document = await platform.documents.find(collection.collection_id, hit.stored.document_id)
        attributes = show_attributes(document.attributes)
    except NotFound:  # deleted since it was found
        attributes = {}
    return VectorStoreSearchHit(
        file_id=hit.stored.file_id,
        filename=hit.stored.filename,
        score=hit.score,
        attributes=attributes,
        content=[SearchContent(text=hit.stored.chunk.text)],
    )


def _id_of(collection: Collection) -> str:
    return collection.collection_id
