"""`/v1/conversations`: OpenAI's shape, with a title; items carry `citations` and `rag` besides."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ragstead.wire.chat import Annotation, CitationView
from ragstead.wire.shapes import Body, View, left_out_when_none
from ragstead.wire.stores import Page

Title = Annotated[
    str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*[^\x00-\x20\x7f][^\x00-\x1f\x7f]*$")
]
"""Words that print, on one line."""


class ConversationBody(Body):
    """`POST /v1/conversations`."""

    title: Title | None = None


class ConversationChange(Body):
    """`POST /v1/conversations/{conversation}`."""

    title: Title


class ConversationView(View):
    """A conversation; its turns are its items."""

    id: str
    object: Literal["conversation"] = "conversation"
    created_at: int
    updated_at: int
    title: str | None
    items: int
    summary: str | None
    summarised_items: int


class ConversationList(Page):
    """`GET /v1/conversations`."""

    data: list[ConversationView]


class ItemText(View):
    """The words of a turn."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Annotation] | None = left_out_when_none()


class KeptRag(View):
    """What of an answer's receipt is kept."""

    refused: bool
    reason: str | None
    p_supported: float
    release: str
    collection: str
    collection_version: int
    trace_id: str
    model: str
    route: str | None
    question: str


class ConversationItem(View):
    """A turn, in the shape of OpenAI's messages; `citations` and `rag` stand on answers."""

    id: str
    type: Literal["message"] = "message"
    status: Literal["completed"] = "completed"
    role: Literal["user", "assistant"]
    created_at: int
    content: list[ItemText]
    citations: list[CitationView] | None = left_out_when_none()
    rag: KeptRag | None = left_out_when_none()


class ConversationItems(Page):
    """`GET /v1/conversations/{conversation}/items`."""

    data: list[ConversationItem]
