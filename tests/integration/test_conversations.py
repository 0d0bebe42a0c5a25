"""Conversations over HTTP: a real platform in a process of its own, OpenAI's client, two owners, kill -9."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from integration.platform_process import running
from services.scripted_model import HEAD, Step, event, says, scripted

MINE, YOURS = "key-of-one", "key-of-two"
LEAVE = "Parents take 20 days of parental leave each year. Managers take 30 days of parental leave each year."
TIDE = "The tide turns at noon. The harbour closes at six in the evening. The harbour master is Maria Lopez."


class Caller:
    """One key's view of a platform."""

    def __init__(self, url: str, key: str = "none") -> None:
        self.http = httpx.Client(base_url=url, headers={"authorization": f"Bearer {key}"}, timeout=30)
        self.client = openai.OpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=30)

    def __enter__(self) -> Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()
        self.client.close()

    def fill(self, collection: str = "default", **metadata: str) -> None:
        self.http.post("/v1/vector_stores", json={"name": collection, "metadata": metadata})
        documents = [{"document_id": "leave", "text": LEAVE}, {"document_id": "tide", "text": TIDE}]
        path = f"/v1/vector_stores/{collection}"
        assert self.http.post(f"{path}/documents", json={"documents": documents}).status_code == 202
        for _ in range(200):
            if self.http.get(path).json()["file_counts"]["completed"] == 2:
                return
            time.sleep(0.05)
        raise AssertionError("the documents were not indexed")

    def begin(self, **body: object) -> str:
        return str(self.call("POST", "/v1/conversations", 200, json=body)["id"])

    def call(self, method: str, path: str, status: int, **how: Any) -> dict[str, Any]:
        answer = self.http.request(method, path, **how)
        assert answer.status_code == status, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def ask(self, question: str, conversation_id: str | None, collection: str = "default", **more: Any) -> Any:
        rag = {"collection": collection, "conversation_id": conversation_id, **more.pop("rag", {})}
        messages = more.pop("messages", [{"role": "user", "content": question}])
        return self.client.chat.completions.create(model="ragstead", messages=messages, extra_body={"rag": rag}, **more)

    def items(self, conversation_id: str, **query: object) -> list[dict[str, Any]]:
        path = f"/v1/conversations/{conversation_id}/items"
        found: list[dict[str, Any]] = self.call("GET", path, 200, params={"order": "asc", **query})["data"]
        return found

    def said(self, conversation_id: str) -> list[str]:
        return [one["content"][0]["text"] for one in self.items(conversation_id)]


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A platform without a model, that asks for either of two keys."""
    with running(tmp_path_factory.mktemp("quotes"), keys=[MINE, YOURS]) as (_, url):
        with Caller(url, MINE) as filler:
            filler.fill()
        yield url


@pytest.fixture
def me(url: str) -> Iterator[Caller]:
    with Caller(url, MINE) as caller:
        yield caller


@pytest.fixture
def you(url: str) -> Iterator[Caller]:
    with Caller(url, YOURS) as caller:
        yield caller


def test_follow_up_is_answered_from_the_history_that_the_server_keeps(me: Caller) -> None:
    conversation_id = me.begin()
    first = me.ask("How many days of parental leave do parents take?", conversation_id)
    assert "20 days" in first.choices[0].message.content
    assert "question" not in first.rag
    second = me.ask("And managers?", conversation_id)
    assert "30 days" in second.choices[0].message.content
    assert second.rag["question"] == "And managers? (many days parental leave take)"
    assert second.rag["condensed_by"] == "rules"
    assert second.rag["timings_ms"]["condense"] >= 0
    shown = me.items(conversation_id)
    assert [(one["role"], one["content"][0]["text"]) for one in shown] == [
        ("user", "How many days of parental leave do parents take?"),
        ("assistant", first.choices[0].message.content),
        ("user", "And managers?"),
        ("assistant", second.choices[0].message.content),
    ]
    assert shown[3]["citations"] == second.citations
    assert shown[3]["rag"]["question"] == second.rag["question"]
    assert shown[3]["rag"]["trace_id"] == second.rag["trace_id"]
    raw = [one.model_dump(exclude_unset=True) for one in first.choices[0].message.annotations]
    assert shown[1]["content"][0]["annotations"] == raw
    kept = me.call("GET", f"/v1/conversations/{conversation_id}", 200)
    assert (kept["title"], kept["items"]) == ("How many days of parental leave do parents take?", 4)


def test_stream_is_kept_as_the_unstreamed_answer_is_and_before_its_end_is_seen(me: Caller) -> None:
    conversation_id = me.begin()
    whole = me.ask("When does the tide turn?", None)
    chunks = list(me.ask("When does the tide turn?", conversation_id, stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert text == whole.choices[0].message.content == me.said(conversation_id)[1]
    assert me.items(conversation_id)[1]["citations"] == chunks[-1].citations == whole.citations
    follow = list(me.ask("When does it close? And who is the harbour master?", conversation_id, stream=True))[-1]
    assert len(me.items(conversation_id)) == 4
    assert follow.rag["timings_ms"]["total"] > 0


def test_history_that_the_client_sends_is_condensed_the_same_way_and_kept_nowhere(me: Caller) -> None:
    before = me.call("GET", "/v1/conversations", 200, params={"limit": 100})["data"]
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "How many days of parental leave do parents take?"},
        {"role": "assistant", "content": "20 days [1]."},
        {"role": "user", "content": "And managers?"},
    ]
    answer = me.ask("", None, messages=messages)
    assert answer.rag["question"] == "And managers? (many days parental leave take)"
    assert "30 days" in answer.choices[0].message.content
    alone = me.ask("", None, messages=[*messages[:3], {"role": "user", "content": "When does the tide turn?"}])
    bare = me.ask("When does the tide turn?", None)
    assert "question" not in alone.rag
    assert (alone.choices[0].message.content, alone.citations) == (bare.choices[0].message.content, bare.citations)
    assert me.call("GET", "/v1/conversations", 200, params={"limit": 100})["data"] == before


def test_system_message_may_come_with_the_new_turn_and_is_not_kept(me: Caller) -> None:
    conversation_id = me.begin()
    turn = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": "When does the tide turn?"}]
    me.ask("", conversation_id, messages=turn)
    assert me.said(conversation_id)[0] == "When does the tide turn?"
    assert len(me.said(conversation_id)) == 2


@pytest.mark.parametrize(
    "messages",
    [
        [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
        [{"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
    ],
)
def test_more_than_the_new_turn_is_refused(me: Caller, messages: list[dict[str, str]]) -> None:
    conversation_id = me.begin()
    with pytest.raises(openai.BadRequestError, match="the conversation is kept by the server") as caught:
        me.ask("", conversation_id, messages=messages)
    assert caught.value.param == "messages"
    assert me.items(conversation_id) == []


def test_what_belongs_to_another_key_is_not_there(me: Caller, you: Caller) -> None:
    conversation_id = me.begin(title="Mine alone")
    me.ask("When does the tide turn?", conversation_id)
    nowhere = "conv_" + "0" * 24
    for one in (conversation_id, nowhere, "x", "conv_%00", "%2e%2e", "a" * 4000):
        for method, path, how in (
            ("GET", "", {}),
            ("GET", "/items", {}),
            ("POST", "", {"json": {"title": "Yours"}}),
            ("DELETE", "", {}),
        ):
            error = you.call(method, f"/v1/conversations/{one}{path}", 404, **how)["error"]
            assert error["code"] == "conversation_not_found"
    for one in (conversation_id, nowhere, "x", "", "conv_\x00"):
        for stream in (False, True):
            with pytest.raises(openai.NotFoundError) as caught:
                you.ask("When does the tide turn?", one, stream=stream)
            assert caught.value.code == "conversation_not_found"
    foreign = you.call("GET", f"/v1/conversations/{conversation_id}", 404)["error"]["message"]
    absent = you.call("GET", f"/v1/conversations/{nowhere}", 404)["error"]["message"]
    assert foreign.replace(conversation_id, "") == absent.replace(nowhere, "")
    you.call("GET", "/v1/conversations", 400, params={"after": conversation_id})
    assert conversation_id not in str(you.call("GET", "/v1/conversations", 200, params={"limit": 100}))
    assert me.call("GET", f"/v1/conversations/{conversation_id}", 200)["title"] == "Mine alone"
    assert len(me.items(conversation_id)) == 2
    assert me.http.get("/v1/conversations", headers={"authorization": "Bearer wrong"}).status_code == 401


def test_lists_and_items_are_cut_by_pages_and_official_clients_read_them(you: Caller) -> None:
    ids = [you.begin(title=f"No. {i}") for i in range(4)]
    page = you.call("GET", "/v1/conversations", 200, params={"limit": 3})
    assert [one["id"] for one in page["data"]] == ids[:0:-1]
    assert (page["object"], page["has_more"], page["last_id"]) == ("list", True, ids[1])
    rest = you.call("GET", "/v1/conversations", 200, params={"limit": 3, "after": ids[1]})
    assert [one["id"] for one in rest["data"]] == ids[:1]
    assert rest["has_more"] is False
    made = you.client.conversations.create()
    assert made.object == "conversation"
    assert you.client.conversations.retrieve(made.id).id == made.id
    for question in ("When does the tide turn?", "Why?"):
        you.ask(question, made.id)
    items = list(you.client.conversations.items.list(made.id, limit=3, order="asc"))  # over two pages
    assert [one.role for one in items] == ["user", "assistant", "user", "assistant"]
    assert items[0].content[0].text == "When does the tide turn?"
    assert you.client.conversations.delete(made.id).deleted
    for after in ("x", ids[0], f"{ids[1]}_1"):
        error = you.call("GET", f"/v1/conversations/{ids[0]}/items", 400, params={"after": after})["error"]
        assert error["param"] == "after"
    for one in ids:
        assert you.call("DELETE", f"/v1/conversations/{one}", 200) == {
            "id": one,
            "object": "conversation.deleted",
            "deleted": True,
        }


@pytest.mark.parametrize("title", ["", " ", "a\x00b", "two\nlines", "x" * 201, "x" * 10_000_000, 7, None])
def test_title_that_is_none_is_refused(me: Caller, title: object) -> None:
    conversation_id = me.begin(title="Kept")
    error = me.call("POST", f"/v1/conversations/{conversation_id}", 400, json={"title": title})["error"]
    assert error["param"] == "title"
    assert len(error["message"]) < 400
    assert me.call("GET", f"/v1/conversations/{conversation_id}", 200)["title"] == "Kept"


def test_lone_surrogates_and_unknown_fields_are_refused_and_a_nul_is_kept_as_what_can_be_kept(me: Caller) -> None:
    conversation_id = me.begin()
    raw = '{"title": "\\ud800"}'
    header = {"content-type": "application/json"}
    assert me.call("POST", "/v1/conversations", 400, content=raw, headers=header)["error"]["code"] == "invalid_json"
    assert me.call("POST", "/v1/conversations", 400, json={"items": []})["error"]["param"] == "items"
    me.ask("When does\x00 the tide turn?", conversation_id)
    assert me.said(conversation_id)[0] == "When does\ufffd the tide turn?"
    renamed = me.call("POST", f"/v1/conversations/{conversation_id}", 200, json={"title": "育児 😀"})
    assert renamed["title"] == "育児 😀"


def test_question_that_fails_leaves_nothing(me: Caller) -> None:
    conversation_id = me.begin()
    with pytest.raises(openai.NotFoundError):
        me.ask("When does the tide turn?", conversation_id, collection="nowhere")
    with pytest.raises(openai.BadRequestError):
        me.ask("When does the tide turn?", conversation_id, rag={"template": "summary"})
    assert me.items(conversation_id) == []
    refused = me.ask("Who won the chess championship in Reykjavik?", conversation_id)
    assert refused.rag["refused"] is True
    kept = me.items(conversation_id)[1]
    assert (kept["rag"]["refused"], kept["rag"]["reason"]) == (True, "no_evidence")


def test_killed_between_turns_the_history_stands_and_a_delete_leaves_no_row(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running(tmp_path) as (process, url), Caller(url) as caller:
        caller.fill()
        stays, gone = caller.begin(), caller.begin(title="walrus title")
        caller.ask("How many days of parental leave do parents take?", stays)
        caller.ask("When does the tide turn, said the walrus?", gone)
        before = caller.items(stays)
        process.kill()
        process.wait()
    with running(tmp_path) as (_, url), Caller(url) as caller:
        assert caller.items(stays) == before
        assert "30 days" in caller.ask("And managers?", stays).choices[0].message.content
        assert len(caller.items(gone)) == 2
        caller.call("DELETE", f"/v1/conversations/{gone}", 200)
        caller.call("GET", f"/v1/conversations/{gone}", 404)
        assert [file.name for file in data.glob("metadata.db*") if b"walrus" in file.read_bytes()] == []
        assert [file.name for file in data.glob("metadata.db*") if gone.encode() in file.read_bytes()] == []
        with closing(sqlite3.connect(f"file:{data / 'metadata.db'}?mode=ro", uri=True)) as database:
            assert database.execute("SELECT count(*) FROM conversations").fetchone() == (1,)
            assert database.execute("SELECT count(*) FROM conversation_turns").fetchone() == (4,)


def slow_platform(base_url: str) -> dict[str, Any]:
    model = {"base_url": base_url, "first_token_s": 20, "between_tokens_s": 20}
    return {"pipeline": {"answer": {"generator": "tiny"}}, "deployment": {"generation": {"models": {"tiny": model}}}}


SLOW: list[Step] = [HEAD, event("The tide turns at noon [1]. The harbour closes"), 15.0]
TIDES = says("The tide turns at noon [1].")


def test_answer_that_nobody_waits_for_and_one_that_breaks_off_leave_nothing(tmp_path: Path) -> None:
    dies: list[Step] = [HEAD, event("The tide turns at noon [1]. The harbour closes"), 0.1, "abort"]
    with (
        scripted(SLOW, SLOW, dies, TIDES) as server,
        running(tmp_path, slow_platform(server.base_url)) as (_, url),
        Caller(url) as caller,
    ):
        caller.fill()
        conversation_id = caller.begin()
        stream = caller.ask("When does the tide turn?", conversation_id, stream=True)
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        stream.close()
        assert server.hung_up.wait(10)
        with pytest.raises(openai.APITimeoutError):
            caller.client.with_options(timeout=5.0).chat.completions.create(
                model="ragstead",
                messages=[{"role": "user", "content": "When does the tide turn?"}],
                extra_body={"rag": {"conversation_id": conversation_id}},
            )
        with pytest.raises(openai.InternalServerError, match="broke off"):
            ask_once_free(caller, conversation_id)
        assert caller.items(conversation_id) == []
        ask_once_free(caller, conversation_id)
        assert caller.said(conversation_id)[1:] == ["The tide turns at noon [1]."]


def ask_once_free(caller: Caller, conversation_id: str) -> Any:
    """Ask when the call that was left no longer holds the conversation."""
    for _ in range(100):
        try:
            return caller.ask("When does the tide turn?", conversation_id)
        except openai.ConflictError:
            time.sleep(0.1)
    raise AssertionError("the conversation was not let go")


def test_second_turn_at_the_same_time_is_refused_and_other_conversations_go_on(tmp_path: Path) -> None:
    with (
        scripted(SLOW, TIDES) as server,
        running(tmp_path, slow_platform(server.base_url)) as (_, url),
        Caller(url) as caller,
    ):
        caller.fill()
        conversation_id, other = caller.begin(), caller.begin()
        stream = caller.ask("When does the tide turn?", conversation_id, stream=True)
        assert next(iter(stream)).choices[0].delta.role == "assistant"
        for streamed in (False, True):
            with pytest.raises(openai.ConflictError, match="answering another turn"):
                caller.ask("Why?", conversation_id, stream=streamed)
        assert caller.ask("When does the tide turn?", other).rag["refused"] is False
        stream.close()
        ask_once_free(caller, conversation_id)
        assert len(caller.items(conversation_id)) == len(caller.items(other)) == 2


def test_many_at_once_leave_pairs_alone(url: str) -> None:
    with Caller(url, MINE) as caller:
        conversation_id = caller.begin()
        ended: list[bool] = []

        def ask(i: int) -> None:
            try:
                caller.ask(f"When does the tide turn on day {i}?", conversation_id)
                ended.append(True)
            except openai.ConflictError:
                ended.append(False)

        threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        items = caller.items(conversation_id, limit=100)
        assert len(ended) == 12
        assert len(items) == 2 * sum(ended) >= 2
        assert [one["role"] for one in items] == ["user", "assistant"] * sum(ended)
