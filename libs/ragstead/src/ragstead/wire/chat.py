"""`POST /v1/chat/completions`: OpenAI's shape, and `rag` going in, `citations` and `rag` coming out."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ragstead.wire.shapes import Body, StrategyName, View, left_out_when_none

StopWord = Annotated[str, Field(min_length=1)]


class ContentPart(Body):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class ChatMessage(Body):
    """A turn of the conversation; an answer of ours may be sent back as it came."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[ContentPart] | None = None
    name: str | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None


class StreamOptions(Body):
    """OpenAI's `stream_options`."""

    include_usage: bool = False


class RagOptions(Body):
    """Our extras, under `rag`."""

    collection: str = "default"
    filter: dict[str, Any] | None = None
    k: int | None = Field(default=None, ge=1, le=100)
    strategy: StrategyName | None = None
    conversation_id: str | None = None
    template: str | None = None
    release: str | None = Field(default=None, pattern="^r-[0-9a-f]{12}$")


class ChatBody(Body):
    """`POST /v1/chat/completions`."""

    model: str = Field(min_length=1)
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    seed: int | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    stop: StopWord | Annotated[list[StopWord], Field(max_length=4)] | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
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


class StepView(View):
    """Something that the agent did; of the fields those that its action has."""

    action: Literal["plan", "search", "judge"]
    query: str | None = left_out_when_none()
    hits: int | None = left_out_when_none()
    by: str | None = left_out_when_none()
    queries: int | None = left_out_when_none()
    note: str | None = left_out_when_none()
    p_supported: float | None = left_out_when_none()


class GuardView(View):
    """What the guard found and did; left out where nothing."""

    findings: list[str]
    withheld_passages: int
    dropped_sentences: int
    redacted: int
    replaced: bool


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
    route: str | None = left_out_when_none()
    cost_usd: float | None
    dropped_citations: int
    question: str | None = left_out_when_none()
    condensed_by: str | None = left_out_when_none()
    timings_ms: dict[str, float]
    steps: list[StepView] | None = left_out_when_none()
    guard: GuardView | None = left_out_when_none()


class AnswerMessage(View):
    """The assistant's turn."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None
    annotations: list[Annotation] = Field(default_factory=list)


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

    role: Literal["assistant"] | None = left_out_when_none()
    content: str | None = left_out_when_none()
    annotations: list[Annotation] | None = left_out_when_none()


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
    usage: Usage | None = left_out_when_none()
    citations: list[CitationView] | None = left_out_when_none()
    rag: RagView | None = left_out_when_none()
