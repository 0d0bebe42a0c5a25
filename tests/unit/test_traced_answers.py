"""Answers read out of traces: what is one, what is none, and a store that answers with nonsense."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ragstead.adapters.mlflow_answer_traces import MlflowAnswerTraces
from ragstead.errors import NotFound, Unavailable
from ragstead.traced_answers import ReadSpan, traced_answer

ID = "4bf92f3577b34da6a3ce929d0e0e4736"
FACTS = {
    "collection": "default",
    "collection_version": 3,
    "release": "r-3f2a61c09b7e",
    "answered_by": "extractive",
    "refused": False,
    "reason": "",
    "p_supported": 0.9,
}
CITED = [{"n": 1, "document_id": "leave", "filename": "leave.md", "quote": "27 days"}]
ROOT = ReadSpan("answer", "", {"question": "And how many?"}, {"answer": "27 days [1].", "citations": CITED}, FACTS, "r")


def found(chunk_id: str, score: float = 0.5) -> dict[str, object]:
    meta = {"document_id": "leave", "filename": "leave.md", "score": score}
    return {"id": chunk_id, "page_content": f"words of {chunk_id}", "metadata": meta}


SEARCH = ReadSpan("retrieve", "r", "How many days of leave?", [found("leave:1:0"), found("leave:1:1")])


def test_question_of_a_single_search_is_the_one_that_was_searched() -> None:
    answer = traced_answer(ID, [ROOT, SEARCH])
    assert answer.question == "How many days of leave?"
    assert (answer.release, answer.collection_version, answer.model) == ("r-3f2a61c09b7e", 3, "extractive")
    assert (answer.refused, answer.reason, answer.p_supported) == (False, None, 0.9)
    assert [one.quote for one in answer.quotes] == ["27 days"]
    assert [(one.chunk_id, one.text) for one in answer.passages] == [
        ("leave:1:0", "words of leave:1:0"),
        ("leave:1:1", "words of leave:1:1"),
    ]


def test_spans_of_another_answer_in_the_same_trace_are_not_taken_for_this_ones() -> None:
    other = replace(ROOT, span_id="s", input={"question": "Another?"})
    theirs = ReadSpan("retrieve", "t", "Another?", [found("sick:1:0")], {}, "u")
    between = [ReadSpan("retrieve-steps", "r", None, None, {}, "q"), replace(SEARCH, parent_id="q")]
    loose = [ReadSpan("retrieve", "gone", "Lost?", [found("lost:1:0")], {}, "v"), replace(theirs, parent_id="u")]
    spans = [ROOT, other, ReadSpan("plan", "s", None, None, {}, "t"), theirs, *between, *loose]
    answer = traced_answer(ID, spans)
    assert answer.question == "How many days of leave?"
    assert [one.chunk_id for one in answer.passages] == ["leave:1:0", "leave:1:1"]


def test_agents_question_is_as_it_was_asked_and_passages_of_all_searches_come_once() -> None:
    asked = replace(ROOT, input={"question": "And how many?", "asked": {"model": "ragstead-agent"}})
    answer = traced_answer(ID, [asked, SEARCH, replace(SEARCH, output=[found("leave:1:1"), found("sick:1:0")])])
    assert answer.question == "And how many?"
    assert answer.asked == {"model": "ragstead-agent"}
    assert [one.chunk_id for one in answer.passages] == ["leave:1:0", "leave:1:1", "sick:1:0"]


def test_kept_answer_has_its_words_and_no_passages() -> None:
    answer = traced_answer(ID, [ROOT])
    assert (answer.answer, answer.passages) == ("27 days [1].", ())


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [replace(SEARCH, name="search", parent_id="")],
        [replace(ROOT, output=None)],
        [replace(ROOT, input={"chars": 12})],
        [replace(ROOT, input="27", output=[1, 2])],
    ],
)
def test_trace_of_something_else_or_without_contents_is_no_answer(spans: list[ReadSpan]) -> None:
    with pytest.raises(NotFound, match=ID):
        traced_answer(ID, spans)


@pytest.mark.parametrize(
    ("spans", "says"),
    [
        ([ReadSpan("completion", "caller", [], "At noon.", {}, "c")], "named a model"),
        ([ReadSpan("search", "", "leave", []), replace(SEARCH, name="bm25")], "made for its hits"),
        ([SEARCH], "not all of it is there yet"),
    ],
)
def test_trace_that_is_of_no_answer_says_what_it_is_of(spans: list[ReadSpan], says: str) -> None:
    with pytest.raises(NotFound, match=says):
        traced_answer(ID, spans)


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def find(url: str) -> None:
    async def run() -> None:
        traces = MlflowAnswerTraces(url, None, 5)
        try:
            await traces.find(ID)
        finally:
            await traces.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (200, b"no JSON"),
        (200, b"[]"),
        (200, b"{}"),
        (200, json.dumps({"trace": {"spans": [{"attributes": []}]}}).encode()),
        (200, json.dumps({"trace": {"spans": [{"name": "answer", "attributes": [{"value": {}}]}]}}).encode()),
        (200, json.dumps({"trace": {"spans": 3}}).encode()),
    ],
)
def test_store_that_answers_with_nonsense_is_unavailable(status: int, body: bytes) -> None:
    with answering(status, body) as url, pytest.raises(Unavailable, match="can't be read"):
        find(url)


def test_trace_that_the_store_does_not_have_is_not_found() -> None:
    with answering(404, b"{}") as url, pytest.raises(NotFound, match="seconds after"):
        find(url)


def test_store_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match="can't be reached"):
        find("http://127.0.0.1:9")
