"""Where traces are kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ragstead.ports.tracer import Fact


@dataclass(frozen=True, slots=True)
class WrittenSpan:
    """A span as it leaves the house: nothing in it but text and numbers, and its contents redacted.

    Attributes:
        name: What was done.
        kind: One of `ragstead.ports.tracer.Kind`.
        span_id: 16 hexadecimal digits.
        parent_id: The same; the caller's own span where it is the root, or empty.
        began_ns: Unix nanoseconds.
        ended_ns: The same.
        input: As JSON, or plain text; empty for none.
        output: The same.
        facts: Ids, numbers and names.
        model: That worked, or empty.
        tokens: Read and written, or None.
        cost_usd: What that cost, or None.
        first_token_ns: When the first words came, or 0.
        error: What went wrong; empty where nothing did.
        is_warning: Whether it went on in spite of it.
    """

    name: str
    kind: str
    span_id: str
    parent_id: str
    began_ns: int
    ended_ns: int
    input: str = ""
    output: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    model: str = ""
    tokens: tuple[int, int] | None = None
    cost_usd: float | None = None
    first_token_ns: int = 0
    error: str = ""
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class WrittenTrace:
    """A trace as it leaves the house.

    Attributes:
        trace_id: 32 hexadecimal digits.
        name: Of the request.
        user: Whom the answer is for, or empty.
        session: The conversation, or empty.
        release: Of the pipeline, or empty.
        metadata: The caller's labels.
        spans: The root first.
        scores: Known when it ended, by name.
    """

    trace_id: str
    name: str
    user: str
    session: str
    release: str
    metadata: Mapping[str, str]
    spans: Sequence[WrittenSpan]
    scores: Mapping[str, float | bool]


@dataclass(frozen=True, slots=True)
class WrittenScore:
    """A judgement as it leaves the house; see `ragstead.ports.tracer.Score`.

    Attributes:
        trace_id: Of its trace.
        name: Of the measure.
        value: A number; True and False are yes and no.
        score_id: The same when it is sent again.
        at_ns: Unix nanoseconds.
        span_id: What in the trace is judged; empty for all of it.
        comment: Why.
        by_person: Whether a person judged.
    """

    trace_id: str
    name: str
    value: float | bool
    score_id: str
    at_ns: int
    span_id: str = ""
    comment: str = ""
    by_person: bool = False


class TraceBackend(Protocol):
    """Keeps traces; called from one thread, which waits for it."""

    @property
    def name(self) -> str:
        """As metrics and readiness show it."""
        ...

    def keep(self, traces: Sequence[WrittenTrace]) -> None:
        """Send traces, all of them or none as far as it is known.

        Raises:
            Unavailable: If they were not taken: the backend is down, too slow, or refuses them.
        """
        ...

    def judge(self, scores: Sequence[WrittenScore]) -> int:
        """Send judgements and return how many were taken.

        Raises:
            Unavailable: If none was.
        """
        ...

    def close(self) -> None:
        """Let go of connections; nothing is sent any more."""
        ...
