"""Documents of a collection (ours)."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ragstead.wire.shapes import AttributeMap, Body, DocumentId, View, left_out_when_none


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
    text: str | None = left_out_when_none()


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
    attributes: AttributeMap = Field(default_factory=dict)


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
