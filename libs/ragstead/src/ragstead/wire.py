"""The HTTP models: what stands in the bodies of requests and responses.

Shapes follow OpenAI's API where it has one; what is ours is marked so. Unknown fields are refused.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from ragstead.model import Strategy

DocumentId = Annotated[str, Field(min_length=1, max_length=512)]
AttributeMap = dict[Annotated[str, Field(min_length=1, max_length=64)], str | bool | int | float]


class Body(BaseModel):
    """Is a request body: an unknown field is an error, not a surprise."""

    model_config = ConfigDict(extra="forbid", strict=False)


class View(BaseModel):
    """Is a response body."""

    model_config = ConfigDict(extra="forbid")


# --- errors ---------------------------------------------------------------------------------------


class ErrorDetail(View):
    """OpenAI's error object."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None


class ErrorBody(View):
    """The body of every response that is not a success."""

    error: ErrorDetail


# --- search ---------------------------------------------------------------------------------------


class SearchBody(Body):
    """`POST /v1/search` (ours)."""

    query: str
    collection: str = "default"
    k: int = Field(10, ge=1, le=1000)
    strategy: Strategy | None = None
    filter: dict[str, Any] | None = None
    debug: bool = False


class HitDebug(View):
    """Raw scores, given when asked for."""

    cosine: float
    bm25: float
    fused: float


class HitView(View):
    """A chunk found; offsets count in the document's extracted text."""

    document_id: str
    file_id: str
    chunk_id: str
    filename: str
    page: int | None
    heading_path: list[str] = []
    text: str
    start: int
    end: int
    score: float
    debug: HitDebug | None = None


class SearchView(View):
    """Hits, best first, and where the time went."""

    hits: list[HitView]
    timings_ms: dict[str, float]
    collection_version: int


# --- chat -----------------------------------------------------------------------------------------


class ContentPart(Body):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class ChatMessage(Body):
    """A turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    name: str | None = None


class StreamOptions(Body):
    """OpenAI's `stream_options`."""

    include_usage: bool = False


class RagOptions(Body):
    """Our extras, under `rag`."""

    collection: str = "default"
    filter: dict[str, Any] | None = None
    k: int | None = Field(None, ge=1, le=100)
    strategy: Strategy | None = None
    conversation_id: str | None = None
    template: str | None = None
    debug: bool = False


class ChatBody(Body):
    """`POST /v1/chat/completions`."""

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, ge=0, le=1)
    seed: int | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    stop: str | list[str] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    n: int | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Any | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    response_format: dict[str, Any] | None = None
    rag: RagOptions = RagOptions()


class Annotation(View):
    """OpenAI's file citation; `index` is where its mark `[n]` begins in the content."""

    type: Literal["file_citation"] = "file_citation"
    file_id: str
    filename: str
    index: int


class CitationView(View):
    """A checked quote: `text[quote_start:quote_end] == quote` in the document's extracted text."""

    n: int
    start: int
    end: int
    document_id: str
    file_id: str
    chunk_id: str
    filename: str
    page: int | None
    quote: str
    quote_start: int
    quote_end: int
    score: float
    verdict: Literal["supported", "partial"]


class RagView(View):
    """The receipt and the verdict, on every answer."""

    refused: bool
    reason: Literal["no_evidence", "low_support", "guard_input", "guard_output"] | None
    p_supported: float
    release: str
    collection_version: int
    trace_id: str
    cache: str
    model: str
    cost_usd: float
    dropped_citations: int
    timings_ms: dict[str, float]
    debug: list[HitView] | None = None


class AnswerMessage(View):
    """The assistant's turn."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[Annotation] = []


class Choice(View):
    """The only choice."""

    index: int = 0
    message: AnswerMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class Usage(View):
    """Tokens as the served model counts them."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatView(View):
    """A chat completion with its citations and receipt."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: Usage
    citations: list[CitationView]
    rag: RagView


class Delta(View):
    """What a chunk adds."""

    role: Literal["assistant"] | None = None
    content: str | None = None
    annotations: list[Annotation] | None = None


class ChunkChoice(View):
    """The only choice of a chunk."""

    index: int = 0
    delta: Delta
    finish_reason: Literal["stop", "length"] | None = None
    logprobs: None = None


class ChatChunkView(View):
    """A streamed piece; the last one carries `citations` and `rag` and, when asked for, `usage`."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: list[ChunkChoice]
    usage: Usage | None = None
    citations: list[CitationView] | None = None
    rag: RagView | None = None


# --- models ---------------------------------------------------------------------------------------


class ModelView(View):
    """A pipeline or a model; `capabilities` is ours."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    capabilities: dict[str, bool]


class ModelList(View):
    """`GET /v1/models`."""

    object: Literal["list"] = "list"
    data: list[ModelView]


# --- documents (ours) -----------------------------------------------------------------------------


class DocumentView(View):
    """A document and where it stands."""

    document_id: str
    file_id: str
    filename: str
    title: str
    state: Literal["queued", "parsing", "embedding", "indexing", "indexed", "empty", "failed", "deleting"]
    reason: str | None
    pages: int | None
    chunks: int
    attributes: AttributeMap
    text: str | None = None


class DocumentList(View):
    """`GET /v1/vector_stores/{id}/documents` (ours): a page, ascending by `document_id`."""

    documents: list[DocumentView]
    has_more: bool = False
    last_id: str | None = None


class TextDocument(Body):
    """A document whose text is known already, as a BEIR corpus has it."""

    document_id: DocumentId
    text: str
    title: str = ""
    attributes: AttributeMap = {}


class TextDocuments(Body):
    """`POST /v1/vector_stores/{id}/documents` (ours): many at once."""

    documents: list[TextDocument] = Field(min_length=1, max_length=1000)


class SubmittedView(View):
    """What became of one document that was handed in."""

    document_id: str
    file_id: str
    outcome: Literal["queued", "unchanged"]


class SubmittedList(View):
    """What became of each, in the order given."""

    submitted: list[SubmittedView]


# --- files and vector stores ----------------------------------------------------------------------


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


class VectorStoreBody(Body):
    """`POST /v1/vector_stores`; `name` is the collection's name and must be free."""

    name: str | None = Field(None, min_length=1, max_length=128, pattern=r"^[\w.\- ]+$")
    file_ids: list[str] | None = None
    metadata: dict[str, str] | None = None
    expires_after: None = None
    chunking_strategy: dict[str, Any] | None = None
    description: str | None = None


class VectorStoreChange(Body):
    """`POST /v1/vector_stores/{id}`."""

    name: str | None = Field(None, min_length=1, max_length=128, pattern=r"^[\w.\- ]+$")
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
    chunking_strategy: dict[str, Any] | None = None
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
    chunking_strategy: dict[str, Any]
    attributes: AttributeMap
    document_id: str
    state: str


class FileBatchBody(Body):
    """`POST /v1/vector_stores/{id}/file_batches`."""

    file_ids: list[str] = Field(min_length=1, max_length=500)
    attributes: AttributeMap | None = None
    chunking_strategy: dict[str, Any] | None = None


class FileBatchView(View):
    """OpenAI's file batch."""

    id: str
    object: Literal["vector_store.files_batch"] = "vector_store.files_batch"
    created_at: int
    vector_store_id: str
    status: Literal["in_progress", "completed", "cancelled", "failed"]
    file_counts: FileCounts


class VectorStoreSearchBody(Body):
    """`POST /v1/vector_stores/{id}/search`, as OpenAI has it."""

    query: str | list[str]
    max_num_results: int = Field(10, ge=1, le=50)
    filters: dict[str, Any] | None = None
    ranking_options: dict[str, Any] | None = None
    rewrite_query: bool = False


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
    """Hits in OpenAI's shape."""

    object: Literal["vector_store.search_results.page"] = "vector_store.search_results.page"
    search_query: list[str]
    data: list[VectorStoreSearchHit]
    has_more: bool = False
    next_page: str | None = None


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


# --- health ---------------------------------------------------------------------------------------


class DependencyView(View):
    """One dependency of the process."""

    ready: bool
    detail: str


class ReadyView(View):
    """`GET /health/ready`: 200 where every dependency is ready, else 503."""

    ready: bool
    dependencies: dict[str, DependencyView]
