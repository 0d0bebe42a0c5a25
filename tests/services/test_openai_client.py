"""The official client against the real server."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

EXTRA = {"rag": {"collection": "handbook"}}
QUESTION = [{"role": "user", "content": "how many days of leave"}]


@pytest.fixture
def client(live: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{live}/v1", api_key="none", max_retries=0) as made:
        made.vector_stores.create(name="handbook")
        upload = made.files.create(file=("leave.md", b"Parents take 20 days of leave each year"), purpose="assistants")
        made.vector_stores.files.create_and_poll(upload.id, vector_store_id="handbook", poll_interval_ms=10)
        yield made


def test_chat_is_parsed_with_annotations_and_extras(client):
    answer = client.chat.completions.create(model="ragstead", messages=QUESTION, extra_body=EXTRA)
    message = answer.choices[0].message
    assert "[1]" in message.content
    assert answer.choices[0].finish_reason == "stop"
    assert message.annotations[0].type == "file_citation"
    assert answer.citations[0]["quote"] in message.content
    assert answer.rag["refused"] is False
    assert answer.usage.total_tokens == 0
    assert answer._request_id


def test_answer_may_be_sent_back_as_a_turn_of_the_conversation(client, platform):
    first = client.chat.completions.create(model="ragstead", messages=QUESTION, extra_body=EXTRA)
    messages = [*QUESTION, first.choices[0].message, {"role": "user", "content": "and of leave"}]
    client.chat.completions.create(model="ragstead", messages=messages, extra_body=EXTRA)
    assert [message.role for message in platform.answerer.asked[-1].messages] == ["user", "assistant", "user"]


def test_streamed_chat_is_parsed_to_its_last_chunk(client):
    whole = client.chat.completions.create(model="ragstead", messages=QUESTION, extra_body=EXTRA)
    stream = client.chat.completions.create(
        model="ragstead", messages=QUESTION, extra_body=EXTRA, stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert chunks[0].choices[0].delta.role == "assistant"
    assert "".join(c.choices[0].delta.content or "" for c in chunks) == whole.choices[0].message.content
    last = chunks[-1]
    assert last.choices[0].finish_reason == "stop"
    assert last.usage.total_tokens == 0
    assert (last.citations, last.rag) == (whole.citations, whole.rag)
    assert chunks[1].usage is None


def test_stream_helper_accumulates_the_answer(client):
    with client.chat.completions.stream(model="ragstead", messages=QUESTION, extra_body=EXTRA) as stream:
        for _ in stream:
            pass
        answer = stream.get_final_completion()
    assert answer.choices[0].message.content.endswith("[1].")
    assert answer.choices[0].finish_reason == "stop"


def test_errors_become_the_client_s_own(client, platform):
    with pytest.raises(openai.NotFoundError) as error:
        client.chat.completions.create(model="gpt-9", messages=QUESTION)
    assert (error.value.code, error.value.param) == ("model_not_found", "model")
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="ragstead", messages=QUESTION, n=2)
    assert refused.value.param == "n"
    platform.answerer.error, platform.answerer.error_after = RuntimeError("no"), 1
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="ragstead", messages=QUESTION, extra_body=EXTRA, stream=True))


def test_models_are_listed_and_shown(client):
    assert [model.id for model in client.models.list()][:2] == ["ragstead", "ragstead-agent"]
    assert client.models.retrieve("ragstead").capabilities["tools"] is False


def test_files_are_uploaded_listed_read_and_deleted(client):
    made = client.files.create(file=("a.txt", b"hello"), purpose="user_data")
    assert client.files.retrieve(made.id).filename == "a.txt"
    assert client.files.content(made.id).read() == b"hello"
    assert next(iter(client.files.list(limit=1))).id == made.id
    assert len(list(client.files.list(limit=1))) == 2
    assert client.files.delete(made.id).deleted


def test_vector_stores_are_kept_searched_and_deleted(client):
    store = client.vector_stores.retrieve("handbook")
    assert store.file_counts.completed == 1
    assert client.vector_stores.update(store.id, metadata={"a": "b"}).metadata == {"a": "b"}
    assert [one.id for one in client.vector_stores.list()] == [store.id]
    found = client.vector_stores.search(store.id, query="days of leave", max_num_results=3)
    assert found.data[0].content[0].text == "Parents take 20 days of leave each year"
    file = next(iter(client.vector_stores.files.list(store.id)))
    changed = client.vector_stores.files.update(file.id, vector_store_id=store.id, attributes={"year": 2024})
    assert changed.attributes == {"year": 2024}
    content = client.vector_stores.files.content(file.id, vector_store_id=store.id)
    assert content.data[0].text == "Parents take 20 days of leave each year"
    assert client.vector_stores.files.delete(file.id, vector_store_id=store.id).deleted
    assert client.vector_stores.delete(store.id).deleted


def test_file_batches_are_uploaded_and_polled(client):
    batch = client.vector_stores.file_batches.upload_and_poll(
        "handbook", files=[("b.txt", b"one"), ("c.txt", b"two")], poll_interval_ms=10
    )
    assert (batch.status, batch.file_counts.completed) == ("completed", 2)
    listed = client.vector_stores.file_batches.list_files(batch.id, vector_store_id="handbook")
    assert {file.status for file in listed} == {"completed"}
