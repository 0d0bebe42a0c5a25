"""`/v1/files`, as OpenAI has it: uploads, their bytes and their text."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, File, Form, Path, Request, Response, UploadFile
from fastapi import Query as InQuery
from fastapi.responses import FileResponse, PlainTextResponse
from pydantic import Field

from ragstead.errors import InvalidRequest, NotFound, TooLarge
from ragstead.model import State, StoredFile
from ragstead.wire import DeletedView, FileList, FileView
from ragstead_gateway.facade import Platform
from ragstead_gateway.paging import STEP, PageQuery, Query, cut, walk
from ragstead_gateway.views import file_view
from ragstead_serving.openapi import Responses, errors
from ragstead_serving.responses import JsonResponse, ServiceRoute

Purpose = Literal["assistants", "batch", "fine-tune", "vision", "user_data", "evals"]
FileId = Annotated[str, Path(min_length=1, examples=["file-2f7c"])]
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_CONTENT: Responses = {
    200: {
        "description": "The bytes as they were sent; with `format=text` the extracted text.",
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "text/plain": {"schema": {"type": "string"}},
        },
    }
}


class FilesQuery(PageQuery):
    """Which part of the list."""

    limit: int = Field(default=100, ge=1, le=1000)
    purpose: Purpose | None = None


class ContentQuery(Query):
    """What of a file."""

    format: Literal["bytes", "text"] = "bytes"


def safe_filename(name: str) -> str:
    """Return the last part of a path that a client sent as a name.

    Raises:
        InvalidRequest: If nothing is left of it, or more than 255 characters.
    """
    last = _UNPRINTABLE.sub("", name.replace("\\", "/").rsplit("/", 1)[-1]).strip()
    if not 1 <= len(last) <= 255 or last in (".", ".."):
        raise InvalidRequest(f"{name!r:.80} is no file name of 1 to 255 characters", param="filename")
    return last


def files_router(platform: Platform) -> APIRouter:
    """Return the routes under `/v1/files`."""
    router = APIRouter(route_class=ServiceRoute, tags=["files"])
    _add_uploads(router, platform)
    _add_contents(router, platform)
    return router


def _add_uploads(router: APIRouter, platform: Platform) -> None:
    @router.post("/v1/files", response_model=FileView, responses=errors())
    async def create_file(
        request: Request,
        file: Annotated[UploadFile, File(description="The bytes, with a file name.")],
        purpose: Annotated[Purpose, Form(description="A label, as OpenAI's API has it.")],
    ) -> Response:
        """Upload a file; `POST /v1/vector_stores/{id}/files` makes a document of it."""
        for field in await request.form():
            if field not in ("file", "purpose"):
                raise InvalidRequest(f"unknown parameter: {field}", param=field, code="unknown_parameter")
        stored = await platform.upload(safe_filename(file.filename or ""), purpose, await _read(file, platform))
        return JsonResponse(file_view(stored, []))

    @router.get("/v1/files", response_model=FileList, responses=errors())
    async def list_files(query: Annotated[FilesQuery, InQuery()]) -> Response:
        """List uploads."""
        files, has_more = await cut(_listed(platform, query), query.limit)
        views = [file_view(file, await platform.files.documents_of(file.file_id)) for file in files]
        first_id, last_id = (views[0].id, views[-1].id) if views else (None, None)
        return JsonResponse(FileList(data=views, first_id=first_id, last_id=last_id, has_more=has_more))


def _add_contents(router: APIRouter, platform: Platform) -> None:
    @router.get("/v1/files/{file_id}", response_model=FileView, responses=errors(404))
    async def retrieve_file(file_id: FileId) -> Response:
        """Show an upload and what became of it."""
        file = await platform.files.find(file_id)
        return JsonResponse(file_view(file, await platform.files.documents_of(file_id)))

    @router.delete("/v1/files/{file_id}", response_model=DeletedView, responses=errors(404))
    async def delete_file(file_id: FileId) -> Response:
        """Delete an upload and the documents made of it."""
        await platform.ingestor.delete_file(file_id)
        return JsonResponse(DeletedView(id=file_id, object="file"))

    @router.get("/v1/files/{file_id}/content", response_class=Response, responses=errors(404) | _CONTENT)
    async def retrieve_file_content(file_id: FileId, query: Annotated[ContentQuery, InQuery()]) -> Response:
        """Return the bytes of an upload, or the extracted text in which all offsets count."""
        file = await platform.files.find(file_id)
        if query.format == "text":
            return PlainTextResponse(await extracted_text(platform, file_id), headers=_INERT)
        return FileResponse(
            platform.blobs.path(file.sha256),
            media_type="application/octet-stream",
            filename=file.filename,
            headers=_INERT,
        )


_INERT = {"X-Content-Type-Options": "nosniff"}
"""An upload is shown as what it is said to be, and never run as a page of ours."""


async def extracted_text(platform: Platform, file_id: str, collection_id: str | None = None) -> str:
    """Return the text extracted from an upload, in any collection or in one.

    Raises:
        NotFound: If no document has been made of it, or none has been read yet; says which.
    """
    documents = [
        document
        for document in await platform.files.documents_of(file_id)
        if collection_id in (None, document.collection_id)
    ]
    for document in documents:
        text = await platform.documents.text(document.collection_id, document.document_id)
        if text or document.state is State.EMPTY:
            return text
    states = ", ".join(document.state for document in documents)
    hint = f"its state is {states}" if states else "no document has been made of the file"
    raise NotFound("extracted text", file_id, hint)


async def _read(file: UploadFile, platform: Platform) -> bytes:
    limit = platform.settings.deployment.max_upload_bytes
    data = await file.read()
    if len(data) > limit:
        raise TooLarge(f"{file.filename!r:.80} has {len(data)} bytes, over the limit of {limit}")
    return data


async def _listed(platform: Platform, query: FilesQuery) -> AsyncIterator[StoredFile]:
    """Yield uploads from where the page begins; `asc` reads the whole list, which is kept newest first."""
    if query.after is not None:
        await _check_after(platform, query.after)
    begin = query.after if query.order == "desc" else None

    async def read(after: str | None) -> list[StoredFile]:
        return await platform.files.list(limit=STEP, after=after or begin)

    files = walk(read, lambda file: file.file_id)
    if query.order == "asc":
        files = _reversed(files, query.after)
    async for file in files:
        if query.purpose in (None, file.purpose):
            yield file


async def _reversed(files: AsyncIterator[StoredFile], after: str | None) -> AsyncIterator[StoredFile]:
    oldest_first = [file async for file in files][::-1]
    begin = next((i + 1 for i, file in enumerate(oldest_first) if file.file_id == after), 0)
    for file in oldest_first[begin:]:
        yield file


async def _check_after(platform: Platform, after: str) -> None:
    try:
        await platform.files.find(after)
    except NotFound as exc:
        raise InvalidRequest(f"after: there is no file {after!r:.80}", param="after") from exc
