"""Documents, files and collections as the API shows them, and attributes both ways."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from ragstead.errors import InvalidRequest
from ragstead.model import PENDING_STATES, Attributes, Collection, Document, State, StoredFile
from ragstead.wire import (
    AttributeMap,
    AutoChunking,
    DocumentView,
    FileCounts,
    FileView,
    LastError,
    VectorStoreFileView,
    VectorStoreView,
)

FileStatus = Literal["in_progress", "completed", "cancelled", "failed"]
_STATUS: Mapping[State, FileStatus] = {
    **dict.fromkeys(PENDING_STATES, "in_progress"),
    State.INDEXED: "completed",
    State.EMPTY: "completed",
    State.FAILED: "failed",
    State.DELETING: "cancelled",
}
_ATTRIBUTES = TypeAdapter(AttributeMap)


def file_status(document: Document) -> FileStatus:
    """Return OpenAI's word for the document's state."""
    return _STATUS[document.state]


def read_attributes(values: AttributeMap | None) -> Attributes:
    """Return attributes as the library knows them: numbers are floats.

    Raises:
        InvalidRequest: If a number is not finite.
    """
    out = {name: value if isinstance(value, str | bool) else float(value) for name, value in (values or {}).items()}
    for name, value in out.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidRequest(f"attributes.{name} is no finite number", param=f"attributes.{name}")
    return out


def parse_attributes(text: str | None) -> Attributes:
    """Return the attributes in a JSON object, as a header or a query string carries it; none for None.

    Raises:
        InvalidRequest: If it is no JSON object of strings, numbers and booleans.
    """
    if text is None:
        return {}
    try:
        return read_attributes(_ATTRIBUTES.validate_json(text, strict=True))
    except ValidationError as exc:
        what = "attributes must be a JSON object whose values are strings, numbers or booleans"
        raise InvalidRequest(f"{what}, not {text!r:.80}", param="attributes") from exc


def show_attributes(attributes: Attributes) -> AttributeMap:
    """Return attributes as they were sent: a whole number without its fraction."""
    return {
        name: int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value
        for name, value in attributes.items()
    }


def document_view(document: Document, text: str | None = None) -> DocumentView:
    """Return our own view of a document, with its text where given."""
    return DocumentView(
        document_id=document.document_id,
        file_id=document.file_id,
        filename=document.filename,
        title=document.title,
        state=document.state.value,
        reason=document.reason,
        pages=document.pages,
        chunks=document.chunks,
        attributes=show_attributes(document.attributes),
        text=text,
    )


def file_view(file: StoredFile, documents: Sequence[Document]) -> FileView:
    """Return OpenAI's view of an upload, whose status is that of the documents made of it."""
    statuses = [file_status(document) for document in documents]
    failed = next((document for document in documents if document.state is State.FAILED), None)
    status: Literal["uploaded", "processed", "error"] = "uploaded"
    if "completed" in statuses:
        status = "processed"
    elif failed is not None:
        status = "error"
    return FileView(
        id=file.file_id,
        bytes=file.size_bytes,
        created_at=file.created_at,
        filename=file.filename,
        purpose=file.purpose,
        status=status,
        status_details=failed.reason if failed and status == "error" else None,
    )


def store_view(collection: Collection) -> VectorStoreView:
    """Return OpenAI's view of a collection; documents that are being deleted are not counted."""
    counts = count_files(_by_status(collection.counts))
    return VectorStoreView(
        id=collection.collection_id,
        created_at=collection.created_at,
        name=collection.name,
        usage_bytes=collection.size_bytes,
        file_counts=counts,
        status="in_progress" if counts.in_progress else "completed",
        metadata=dict(collection.metadata),
        collection_version=collection.version,
    )


def count_files(by_status: Mapping[FileStatus, int]) -> FileCounts:
    """Return OpenAI's counts."""
    return FileCounts(
        in_progress=by_status.get("in_progress", 0),
        completed=by_status.get("completed", 0),
        failed=by_status.get("failed", 0),
        cancelled=by_status.get("cancelled", 0),
        total=sum(by_status.values()),
    )


def _by_status(counts: Mapping[State, int]) -> dict[FileStatus, int]:
    out: dict[FileStatus, int] = {}
    for state, count in counts.items():
        if state is not State.DELETING:
            out[_STATUS[state]] = out.get(_STATUS[state], 0) + count
    return out


def store_file_view(document: Document, store_id: str) -> VectorStoreFileView:
    """Return OpenAI's view of a document as a file of its vector store."""
    failed = document.state is State.FAILED
    return VectorStoreFileView(
        id=document.file_id,
        usage_bytes=document.size_bytes,
        created_at=document.created_at,
        vector_store_id=store_id,
        status=file_status(document),
        last_error=LastError(code="invalid_file", message=document.reason or "it can't be read") if failed else None,
        chunking_strategy=AutoChunking(),
        attributes=show_attributes(document.attributes),
        document_id=document.document_id,
        state=document.state.value,
    )
