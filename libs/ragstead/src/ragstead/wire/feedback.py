"""`POST /v1/feedback` (ours): what somebody thinks of an answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ragstead.wire.shapes import Body, View

Judgement = bool | Annotated[float, Field(ge=-1, le=1)]
"""Yes or no, or a number from -1 (useless) to 1 (as good as can be)."""


class FeedbackBody(Body):
    """A judgement of the answer of this id: a chat completion's, or the `trace_id` on its receipt."""

    response_id: str = Field(min_length=1, max_length=200)
    score: Judgement
    comment: str | None = Field(default=None, max_length=4000)


class FeedbackView(View):
    """It is on its way to the answer's trace."""

    object: Literal["feedback"] = "feedback"
    response_id: str
    trace_id: str
    score: Judgement
    comment: str | None
    kept_by: list[str]
