"""What was done for an answer, for those who review it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from ragstead.ids import long_random_id, random_id

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]
Content = Json | Callable[[], Json]
"""Words that somebody wrote or reads. A function is called when the trace is written out, off the way of the answer."""
Fact = str | int | float | bool
"""An id, a number or a name: kept where contents are not."""


class Kind(StrEnum):
    """What a span is, in Langfuse's words."""

    SPAN = "span"
    GENERATION = "generation"
    RETRIEVER = "retriever"
    EMBEDDING = "embedding"
    GUARDRAIL = "guardrail"
    EVALUATOR = "evaluator"
    AGENT = "agent"
    TOOL = "tool"
    CHAIN = "chain"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """Where a trace begins; made before anything is done.

    Attributes:
        trace_id: 32 hexadecimal digits.
        span_id: Of its root here; 16 hexadecimal digits.
        parent_id: The caller's own span, or empty.
        user: Whom the answer is for, as the caller names them.
        metadata: The caller's own labels.
    """

    trace_id: str = field(default_factory=long_random_id)
    span_id: str = field(default_factory=random_id)
    parent_id: str = ""
    user: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Span:
    """One step; filled in by whoever takes it, on one event loop.

    Attributes:
        name: What was done: `retrieve`, `generate`...
        kind: Of which sort that is.
        span_id: 16 hexadecimal digits.
        parent_id: Of the span that it is part of.
        trace: That it belongs to.
        began_ns: Unix nanoseconds.
        ended_ns: The same; 0 while it lasts.
        input: What it worked from.
        output: What came of it.
        facts: Ids, numbers and names.
        model: That worked.
        tokens: Read and written, where a model says so.
        cost_usd: What that cost, where somebody says so.
        first_token_ns: When the first words came; 0 where that says nothing.
        error: The kind of what was raised, or empty.
        message: Its words; contents, as they may quote any.
        is_warning: Whether it went on, but not as it should have.
    """

    name: str
    kind: Kind
    parent_id: str
    trace: Trace
    span_id: str = field(default_factory=random_id)
    began_ns: int = field(default_factory=time.time_ns)
    ended_ns: int = 0
    input: Content = None
    output: Content = None
    facts: dict[str, Fact] = field(default_factory=dict)
    model: str = ""
    tokens: tuple[int, int] | None = None
    cost_usd: float | None = None
    first_token_ns: int = 0
    error: str = ""
    message: str = ""
    is_warning: bool = False

    @staticmethod
    def now() -> int:
        """Return the time as spans have it."""
        return time.time_ns()


@dataclass(slots=True, eq=False)
class Trace:
    """All that was done for one request.

    Attributes:
        context: Where it begins.
        name: Of the request: `answer`, `search`.
        session: The conversation, or empty.
        release: Of the pipeline, or empty.
        spans: In the order in which they began, the root first.
        scores: Judgements that are known when it ends, by name.
        grounded: Probability that its sources support it, of each sentence that was judged.
        private: Whether it is of a conversation that its owner may delete, and is written down nowhere else.
        passages: That the answer was written from, best first; they stand in the spans, and are not written again.
    """

    context: TraceContext
    name: str
    session: str = ""
    release: str = ""
    spans: list[Span] = field(default_factory=list)
    scores: dict[str, float | bool] = field(default_factory=dict)
    grounded: list[float] = field(default_factory=list)
    private: bool = False
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """A judgement of an answer that comes after it.

    Attributes:
        trace_id: Of its trace.
        name: Of the measure: `feedback`, `groundedness`...
        value: A number; True and False are yes and no.
        span_id: What in the trace is judged; empty for all of it.
        comment: Why.
        by_person: Whether a person judged, and no program.
    """

    trace_id: str
    name: str
    value: float | bool
    span_id: str = ""
    comment: str = ""
    by_person: bool = False


@dataclass(frozen=True, slots=True)
class BackendState:
    """What became of what was sent to one backend.

    Attributes:
        spans: Kept there.
        failed: Spans that it did not take.
        dropped: Spans that were not sent, as too much waited.
        scores: Kept there.
        scores_failed: Scores that it did not take, or that were not sent.
        trouble: Why the last call failed; empty where it did not.
    """

    spans: int = 0
    failed: int = 0
    dropped: int = 0
    scores: int = 0
    scores_failed: int = 0
    trouble: str = ""


class Tracer(Protocol):
    """Takes traces. Nothing that it does is waited for, and nothing that happens to it is raised."""

    def samples(self, trace_id: str) -> bool:
        """Return whether the trace of this id is wanted; the same for the same id, in every process."""
        ...

    def record(self, trace: Trace) -> None:
        """Take a trace that has ended; where too much waits already it is dropped, and counted."""
        ...

    def score(self, score: Score) -> bool:
        """Take a judgement of a trace; False where it is dropped."""
        ...

    def states(self) -> Mapping[str, BackendState]:
        """Return what became of all of them, by backend; empty where nothing keeps traces."""
        ...
