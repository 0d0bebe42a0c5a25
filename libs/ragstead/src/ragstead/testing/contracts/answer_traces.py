"""The suite of `AnswerTraces`."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from ragstead.errors import NotFound
from ragstead.ports.answer_traces import NO_ANSWER, NO_TRACE, AnswerTraces, TracedAnswer, TracedPassage, TracedQuote
from ragstead.ports.trace_backend import WrittenSpan, WrittenTrace

T = TypeVar("T")

ANSWERED = TracedAnswer(
    "4bf92f3577b34da6a3ce929d0e0e4736",
    "How many days of leave do parents take?",
    "people and places",
    3,
    "r-3f2a61c09b7e",
    "extractive",
    "Parents take 20 days [1].",
    refused=False,
    reason=None,
    p_supported=0.875,
    asked={"k": 3, "strategy": "hybrid", "filter": {"type": "eq", "key": "team", "value": "people"}},
    quotes=(TracedQuote("leave.md", "leave.md", "Parents take 20 days"),),
    passages=(
        TracedPassage("leave.md", "leave.md:1:0", "leave.md", "Parents take 20 days.\n“Zwölf” 日本 🙂", 0.75),
        TracedPassage("old.md", "old.md:4:2", "old.md", "x" * 5000, 0.25),
    ),
)
"""An answer with all that there is."""
REFUSED = TracedAnswer(
    "5bf92f3577b34da6a3ce929d0e0e4736",
    "And on Mars?",
    "default",
    7,
    "r-3f2a61c09b7e",
    "extractive",
    "The documents do not say.",
    refused=True,
    reason="low_support",
    p_supported=0.125,
)
"""A refusal."""
BARE = "6bf92f3577b34da6a3ce929d0e0e4736"
"""A trace whose contents were not captured."""
UNKNOWN = "7bf92f3577b34da6a3ce929d0e0e4736"
"""A trace that no store has."""
ODD_QUESTIONS = ("27", "true", "null", '"quoted"', '{"a": [1]}', "[2, 3]", "{", " [x", "<EMAIL>?", "日本 🙂")


def odd_answers() -> list[TracedAnswer]:
    """Return answers to questions that look like something else."""
    return [
        TracedAnswer(f"{n:032x}", question, "default", 1, "r-3f2a61c09b7e", "m", "Yes.", False, None, 0.5)
        for n, question in enumerate(ODD_QUESTIONS, 1)
    ]


def written(answer: TracedAnswer, *, bare: bool = False) -> WrittenTrace:
    """Return the trace that a platform sends of such an answer; `bare`: without its contents."""
    root_id, began = f"{secrets.randbits(62) + 1:016x}", 1_767_225_600_000_000_000
    facts = {
        "collection": answer.collection,
        "collection_version": answer.collection_version,
        "refused": answer.refused,
        "p_supported": answer.p_supported,
        "answered_by": answer.model,
        **({"reason": answer.reason} if answer.reason else {}),
    }
    asked = {"question": answer.question, **({"asked": dict(answer.asked)} if answer.asked else {})}
    citations = [asdict(one) for one in answer.quotes]
    found = [
        {
            "id": one.chunk_id,
            "page_content": one.text,
            "metadata": {"document_id": one.document_id, "filename": one.filename, "score": one.score},
        }
        for one in answer.passages
    ]

    def span(name: str, span_id: str, parent_id: str, contents: Sequence[object], **more: object) -> WrittenSpan:
        given, told = ('{"chars": 9}' if bare else one if isinstance(one, str) else json.dumps(one) for one in contents)
        return WrittenSpan(name, "chain", span_id, parent_id, began, began + 10**9, given, told, facts=more)  # type: ignore[arg-type]

    root = span("answer", root_id, "", [asked, {"answer": answer.answer, "citations": citations}], **facts)
    search = span("retrieve", f"{int(root_id, 16) + 1:016x}", root_id, [answer.question, found])
    return WrittenTrace(answer.trace_id, "answer", "", "", answer.release, {}, [root, search], {})


class AnswerTracesContract:
    """What any store of traces does; subclasses define `opened`."""

    def opened(self, folder: Path, kept: Sequence[TracedAnswer]) -> AbstractAsyncContextManager[AnswerTraces]:
        """Open a store that was sent the traces of `kept`, and the trace `BARE`, without its contents."""
        raise AssertionError("a suite says what it tests")

    def use(self, folder: Path, kept: Sequence[TracedAnswer], work: Callable[[AnswerTraces], Awaitable[T]]) -> T:
        """Run a test's scenario."""

        async def run() -> T:
            async with self.opened(folder, kept) as store:
                return await work(store)

        return asyncio.run(run())

    def test_answer_comes_back_as_it_was_traced(self, tmp_path: Path) -> None:
        """With what was asked, cited and found."""
        assert self.use(tmp_path, [ANSWERED], lambda store: store.find(ANSWERED.trace_id)) == ANSWERED

    def test_refusal_comes_back_with_its_reason(self, tmp_path: Path) -> None:
        """And without quotes or passages."""
        assert self.use(tmp_path, [ANSWERED, REFUSED], lambda store: store.find(REFUSED.trace_id)) == REFUSED

    def test_question_that_looks_like_json_comes_back_as_words(self, tmp_path: Path) -> None:
        """Numbers, quotes and brackets are what people wrote."""

        async def work(store: AnswerTraces) -> list[str]:
            return [(await store.find(one.trace_id)).question for one in kept]

        kept = odd_answers()
        assert self.use(tmp_path, kept, work) == list(ODD_QUESTIONS)

    def test_several_are_found_at_once(self, tmp_path: Path) -> None:
        """Each its own."""

        async def work(store: AnswerTraces) -> list[str]:
            ids = [REFUSED.trace_id, ANSWERED.trace_id] * 4
            return [one.answer for one in await asyncio.gather(*map(store.find, ids))]

        assert self.use(tmp_path, [ANSWERED, REFUSED], work) == [REFUSED.answer, ANSWERED.answer] * 4

    def test_trace_that_is_not_there_is_told_by_its_id(self, tmp_path: Path) -> None:
        """As a trace that is not found."""
        refusal = self.use(tmp_path, [ANSWERED], lambda store: _refusal(store, UNKNOWN))
        assert refusal.kind == NO_TRACE
        assert UNKNOWN in str(refusal)

    def test_trace_without_contents_is_told_apart_from_none(self, tmp_path: Path) -> None:
        """As a trace without an answer."""
        refusal = self.use(tmp_path, [ANSWERED], lambda store: _refusal(store, BARE))
        assert refusal.kind == NO_ANSWER
        assert "contents were not captured" in str(refusal)


async def _refusal(store: AnswerTraces, trace_id: str) -> NotFound:
    try:
        await store.find(trace_id)
    except NotFound as refusal:
        return refusal
    raise AssertionError(f"{trace_id} was found")
