"""From the spans of a trace, as a store gives them back, to the answer that it is of."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ragstead.errors import NotFound
from ragstead.ports.answer_traces import NO_ANSWER, TracedAnswer, TracedPassage, TracedQuote

_SEARCHES = ("retrieve", "weigh")
_OTHERS = {
    "completion": "that trace is of a request that named a model: nothing was searched, and its answer cites nothing",
    "search": "that trace is of a search that somebody made for its hits: nothing was answered",
}
"""What traces are of that are of no answer, by the name of their first span."""


@dataclass(frozen=True, slots=True)
class ReadSpan:
    """A span as it comes back.

    Attributes:
        name: What was done.
        parent_id: Of the span that it is part of; empty for the root.
        input: What it worked from, as JSON values.
        output: What came of it.
        facts: Ids, numbers and names.
        span_id: What its parts call their parent.
    """

    name: str
    parent_id: str
    input: object
    output: object
    facts: Mapping[str, object] = field(default_factory=dict)
    span_id: str = ""


def traced_answer(trace_id: str, spans: Sequence[ReadSpan]) -> TracedAnswer:
    """Return the answer that the spans, in the order in which they began, are of.

    The question is the one that was searched, where one search was made; an agent's is as it was asked. Of several
    answers, as a caller's trace may hold, it is the first.

    Raises:
        NotFound: If they are of no answer, of one that broke off, or without its contents.
    """
    root = next((one for one in spans if one.name == "answer"), None)
    if root is None:
        raise NotFound(NO_ANSWER, trace_id, _of_what(spans))
    asked, told = _mapping(root.input), _mapping(root.output)
    if "question" not in asked or "answer" not in told:
        raise NotFound(NO_ANSWER, trace_id, _why_not(root))
    searches = [one for one in _within(root, spans) if one.name in _SEARCHES]
    facts = root.facts
    question = str(asked["question"])
    return TracedAnswer(
        trace_id=trace_id,
        question=_searched(question, searches[0].input) if len(searches) == 1 else question,
        collection=str(facts.get("collection", "default")),
        collection_version=int(_number(facts.get("collection_version"))),
        release=str(facts.get("release", "")),
        model=str(facts.get("answered_by", "")),
        answer=str(told["answer"]),
        refused=bool(facts.get("refused")),
        reason=str(facts["reason"]) if facts.get("reason") else None,
        p_supported=_number(facts.get("p_supported")),
        asked=dict(_mapping(asked.get("asked"))),
        quotes=tuple(_quote(one) for one in _mappings(told.get("citations"))),
        passages=tuple(_distinct(_passage(one) for search in searches for one in _mappings(search.output))),
    )


def _of_what(spans: Sequence[ReadSpan]) -> str:
    """Say what spans are of that are of no answer."""
    told = (_OTHERS[one.name] for one in spans if one.name in _OTHERS)
    return next(told, "that trace is of something else, or not all of it is there yet")


def _why_not(root: ReadSpan) -> str:
    """Say why an answer can't be read back."""
    if _mapping(root.input).keys() == {"chars"}:
        return "contents were not captured: see `contents` under deployment.tracing; `sent` leaves conversations out"
    return "it broke off, and there is no answer"


def _searched(asked: str, searched: object) -> str:
    """Return what was searched; words that a store took for JSON, and changed, are those that were asked."""
    if not isinstance(searched, str):
        return asked
    try:
        return asked if json.loads(asked) == searched else searched
    except ValueError:
        return searched


def _within(root: ReadSpan, spans: Sequence[ReadSpan]) -> Iterator[ReadSpan]:
    """Yield the spans below the root, in the order given."""
    parents = {one.span_id: one.parent_id for one in spans if one.span_id}
    for one in spans:
        above, steps = one.parent_id, 0
        while above != root.span_id and above in parents and steps < len(spans):
            above, steps = parents[above], steps + 1
        if above == root.span_id:
            yield one


def _passage(given: Mapping[str, object]) -> TracedPassage:
    meta = _mapping(given.get("metadata"))
    return TracedPassage(
        str(meta.get("document_id", "")),
        str(given.get("id", "")),
        str(meta.get("filename", "")),
        str(given.get("page_content", "")),
        _number(meta.get("score")),
    )


def _quote(given: Mapping[str, object]) -> TracedQuote:
    return TracedQuote(str(given.get("document_id", "")), str(given.get("filename", "")), str(given.get("quote", "")))


def _distinct(passages: Iterable[TracedPassage]) -> Iterator[TracedPassage]:
    seen: set[str] = set()
    for one in passages:
        if one.chunk_id not in seen:
            seen.add(one.chunk_id)
            yield one


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, object]]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
