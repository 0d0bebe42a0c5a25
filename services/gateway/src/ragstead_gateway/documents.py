"""`/v1/vector_stores/{store}/documents` (ours): documents by the ids that their owners give them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Header, Path, Request, Response
from fastapi import Query as InQuery
from pydantic import Field

from ragstead.errors import NotFound, TooLarge
from ragstead.pipelines.ingest import Submission
from ragstead.ports.ledger import Submitted
from ragstead.wire import (
    DeletedView,
    DocumentId,
    DocumentList,
    DocumentView,
    SubmittedList,
    SubmittedView,
    TextDocument,
    TextDocuments,
)
from ragstead_gateway.examples import TEXT_DOCUMENTS, UPLOAD
from ragstead_gateway.facade import Platform
from ragstead_gateway.files import safe_filename
from ragstead_gateway.paging import Query
from ragstead_gateway.stores import check_store_name
from ragstead_gateway.views import document_view, parse_attributes, read_attributes
from ragstead_serving.openapi import errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

_PATH = "/v1/vector_stores/{store}/documents"
Store = Annotated[str, Path(min_length=1, description="A collection's name or id.")]
DocId = Annotated[DocumentId, Path(description="The owner's own id; it may hold slashes.")]


class DocumentsQuery(Query):
    """Which part of the list."""

    limit: int = Field(default=1000, ge=1, le=1000)
    after: str | None = None


class DocumentQuery(Query):
    """How much of a document."""

    text: bool = False


class PutQuery(Query):
    """What goes with a document's bytes."""

    filename: str | None = Field(default=None, min_length=1, max_length=255)
    title: str = Field(default="", max_length=1000)
    attributes: str | None = Field(default=None, examples=['{"year": 2024}'])


def documents_router(platform: Platform) -> APIRouter:
    """Return the routes under `/v1/vector_stores/{store}/documents`."""
    router = APIRouter(route_class=ServiceRoute, tags=["documents"])
    _add_reading(router, platform)
    _add_writing(router, platform)
    return router


def _add_reading(router: APIRouter, platform: Platform) -> None:
    @router.get(_PATH, response_model=DocumentList, responses=errors(404))
    async def list_documents(store: Store, page: Annotated[DocumentsQuery, InQuery()]) -> Response:
        """List documents and where they stand, ascending by id."""
        collection = await platform.collections.find(store)
        found = await platform.documents.list(collection.collection_id, limit=page.limit + 1, after=page.after)
        views = [document_view(document) for document in found[: page.limit]]
        last_id = views[-1].document_id if views else None
        return JsonResponse(DocumentList(documents=views, has_more=len(found) > page.limit, last_id=last_id))

    @router.get(_PATH + "/{document_id:path}", response_model=DocumentView, responses=errors(404))
    async def retrieve_document(
        store: Store, document_id: DocId, query: Annotated[DocumentQuery, InQuery()]
    ) -> Response:
        """Show a document, and with `text` the extracted text in which all offsets count."""
        collection_id = (await platform.collections.find(store)).collection_id
        document = await platform.documents.find(collection_id, document_id)
        text = await platform.documents.text(collection_id, document_id) if query.text else None
        return JsonResponse(document_view(document, text))


def _add_writing(router: APIRouter, platform: Platform) -> None:
    max_upload = platform.settings.deployment.max_upload_bytes

    @router.post(_PATH, status_code=202, response_model=SubmittedList, responses=errors(404))
    async def create_documents(
        store: Store, body: Annotated[TextDocuments, Body(openapi_examples=TEXT_DOCUMENTS)]
    ) -> Response:
        """Hand in many documents whose text is known; the collection is made if it is missing."""
        done = await _submit(platform, store, [_text_submission(one) for one in body.documents])
        return JsonResponse(SubmittedList(submitted=[_submitted(one) for one in done]), 202)

    @router.put(
        _PATH + "/{document_id:path}",
        status_code=202,
        response_model=SubmittedView,
        responses=errors(404),
        openapi_extra={"requestBody": UPLOAD},
    )
    async def put_document(
        request: Request,
        store: Store,
        document_id: DocId,
        query: Annotated[PutQuery, InQuery()],
        attributes: Annotated[str | None, Header(description="As the query's, which wins.")] = None,
    ) -> Response:
        """Hand in a file under an id of the owner's; another content under the same id replaces the document."""
        data = await request.body()
        if len(data) > max_upload:
            raise TooLarge(f"{document_id!r} has {len(data)} bytes, over the limit of {max_upload}")
        submission = Submission(
            document_id=document_id,
            filename=safe_filename(query.filename or document_id),
            data=data,
            attributes=parse_attributes(query.attributes if query.attributes is not None else attributes),
            title=query.title,
        )
        done = await _submit(platform, store, [submission])
        return JsonResponse(_submitted(done[0]), 202)

    @router.delete(_PATH + "/{document_id:path}", response_model=DeletedView, responses=errors(404))
    async def delete_document(store: Store, document_id: DocId) -> Response:
        """Delete a document: when this returns nothing of it is found any more."""
        await platform.ingestor.delete(store, document_id)
        return JsonResponse(DeletedView(id=document_id, object="document.deleted"))


async def _submit(platform: Platform, store: str, submissions: list[Submission]) -> list[Submitted]:
    try:
        return await platform.ingestor.submit(store, submissions, create=False)
    except NotFound as exc:
        if exc.kind != "collection":
            raise
    check_store_name(store, "store")
    return await platform.ingestor.submit(store, submissions)


def _text_submission(document: TextDocument) -> Submission:
    return Submission(
        document_id=document.document_id,
        filename=f"{document.document_id}.txt",
        data=document.text.encode(),
        attributes=read_attributes(document.attributes),
        title=document.title,
        plain_text=True,
    )


def _submitted(one: Submitted) -> SubmittedView:
    return SubmittedView(document_id=one.document_id, file_id=one.file_id, outcome=one.outcome)
