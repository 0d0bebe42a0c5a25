"""Files and vector stores, as OpenAI's API has them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ragstead.model import COLLECTION_NAME, COLLECTION_NAME_CHARS
from ragstead.wire.shapes import AttributeMap, Body, DocumentId, View, left_out_when_none

CollectionName = Annotated[str, Field(min_length=1, max_length=COLLECTION_NAME_CHARS, pattern=COLLECTION_NAME)]
"""A collection's name: a letter, digit or underscore, then those, dots, hyphens and spaces; not `vs_...`."""

Query = Annotated[str, Field(min_length=1)]


class FileView(View):
    """OpenAI's file object."""

    id: str
    object: Literal["file"] = "file"
    bytes: int
    created_at: int
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"] = "processed"
    status_details: str | None = None
    expires_at: int | None = None


class DeletedView(View):
    """OpenAI's answer to a deletion."""

    id: str
    object: str
    deleted: bool = True


class FileCounts(View):
    """Files of a vector store by status."""

    in_progress: int
    completed: int
    failed: int
    cancelled: int
    total: int


class AutoChunking(Body):
    """How a file is cut: the pipeline's configuration decides, for all files alike."""

    type: Literal["auto"] = "auto"


class VectorStoreBody(Body):
    """`POST /v1/vector_stores`; `name` is the collection's name and must be free."""

    name: CollectionName | None = None
    file_ids: list[str] | None = None
    metadata: dict[str, str] | None = None
    expires_after: None = None
    chunking_strategy: AutoChunking | None = None


class VectorStoreChange(Body):
    """`POST /v1/vector_stores/{id}`."""

    name: CollectionName | None = None
    metadata: dict[str, str] | None = None
    expires_after: None = None


class VectorStoreView(View):
    """OpenAI's vector store; ours adds the collection's version."""

    id: str
    object: Literal["vector_store"] = "vector_store"
    created_at: int
    name: str
    usage_bytes: int
    file_counts: FileCounts
    status: Literal["in_progress", "completed", "expired"]
    expires_after: None = None
    expires_at: None = None
    last_active_at: int | None = None
    metadata: dict[str, str]
    collection_version: int


class LastError(View):
    """Why a file is in status `failed`."""

    code: Literal["server_error", "unsupported_file", "invalid_file"]
    message: str


class VectorStoreFileBody(Body):
    """`POST /v1/vector_stores/{id}/files`; `document_id` is ours, and replaces a document that has it."""

    file_id: str
    attributes: AttributeMap | None = None
    chunking_strategy: AutoChunking | None = None
    document_id: DocumentId | None = None


class VectorStoreFileChange(Body):
    """`POST /v1/vector_stores/{id}/files/{file_id}`."""

    attributes: AttributeMap | None


class VectorStoreFileView(View):
    """OpenAI's vector store file; `document_id` and `state` are ours."""

    id: str
    object: Literal["vector_store.file"] = "vector_store.file"
    usage_bytes: int
    created_at: int
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    last_error: LastError | None
    chunking_strategy: AutoChunking
    attributes: AttributeMap
    document_id: str
    state: str


class FileBatchBody(Body):
    """`POST /v1/vector_stores/{id}/file_batches`."""

    file_ids: list[str] = Field(min_length=1, max_length=500)
    attributes: AttributeMap | None = None
    chunking_strategy: AutoChunking | None = None


class FileBatchView(View):
    """OpenAI's file batch."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    file_counts: FileCounts


class RankingOptions(Body):
    """OpenAI's; the ranker is the platform's own, and the threshold a probability."""

    ranker: Literal["auto"] = "auto"
    score_threshold: float = Field(default=0.0, ge=0, le=1)


class VectorStoreSearchBody(Body):
    """`POST /v1/vector_stores/{id}/search`, as OpenAI has it."""

    query: Query | Annotated[list[Query], Field(min_length=1, max_length=16)]
    max_num_results: int = Field(default=10, ge=1, le=50)
    filters: dict[str, Any] | None = None
    ranking_options: RankingOptions | None = None
    rewrite_query: Literal[False] = False


class SearchContent(View):
    """A piece of text found."""

    type: Literal["text"] = "text"
    text: str


class VectorStoreSearchHit(View):
    """A hit in OpenAI's shape."""

    file_id: str
    filename: str
    score: float
    attributes: AttributeMap
    content: list[SearchContent]


class VectorStoreSearchView(View):
    """Hits in OpenAI's shape; ours: `refused`, and why, where the guard stopped a query."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[VectorStoreSearchHit]
    has_more: bool = False
    next_page: str | None = None
    refused: bool | None = left_out_when_none()
    reason: Literal["guard_input"] | None = left_out_when_none()


class Page(View):
    """OpenAI's list."""

    object: Literal["list"] = "list"
    first_id: str | None
    last_id: str | None
    has_more: bool


class FileList(Page):
    """`GET /v1/files`."""

    data: list[FileView]


class VectorStoreList(Page):
    """`GET /v1/vector_stores`."""

    data: list[VectorStoreView]


class VectorStoreFileList(Page):
    """`GET /v1/vector_stores/{id}/files`."""

    data: list[VectorStoreFileView]


class VectorStoreContentView(View):
    """The extracted text of a file of a vector store."""

    object: Literal["vector_store.file_content.page"] = "vector_store.file_content.page"
    data: list[SearchContent]
    has_more: bool = False
    next_page: str | None = None
