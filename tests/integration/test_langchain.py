"""LangChain against a running platform: our retriever and chat model, and its own ChatOpenAI."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnablePassthrough
from langchain_core.tools import create_retriever_tool
from langchain_openai import ChatOpenAI

from programs import free_port
from ragstead.adapters.langchain import ChatRagstead, RagsteadRetriever
from ragstead.errors import InvalidRequest, NotFound, Unauthenticated, Unavailable
from ragstead.model import Strategy
from ragstead.pipelines.ingest import Submission
from ragstead.settings import load_settings
from services.live_server import serving_platform
from services.scripted_model import HEAD, event, refuses, scripted

ROOT = Path(__file__).parents[2]
KEY = "a key of the tests"
QUESTION = "When does the tide turn?"
BOTH = "When does the tide turn and who is the cook?"
ANSWER = "The tide turns at noon [1]."
ANSWERS = {"ragstead": (QUESTION, ANSWER), "ragstead-agent": (BOTH, f"{ANSWER} The cook is called Marta Silva [2].")}
TIDE = b"The tide turns at noon. The harbour closes at six in the evening."


def submission(name: str, text: bytes, year: int) -> Submission:
    return Submission(name, f"{name}.txt", text, attributes={"year": year}, plain_text=True)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A platform that asks for a key."""
    documents = {
        "default": [submission("tide", TIDE, 2024), submission("cook", b"The cook is called Marta Silva.", 2023)],
        "empty": [submission("bread", b"Bread is baked at four.", 2024)],
    }
    settings = load_settings(None, data_dir=tmp_path_factory.mktemp("data"), environ={})
    with serving_platform(settings, documents, [KEY]) as served:
        yield f"{served}/v1"


def retriever(url: str, **fields: Any) -> RagsteadRetriever:
    return RagsteadRetriever(base_url=url, api_key=KEY, **fields)


def chat(url: str, **fields: Any) -> ChatRagstead:
    return ChatRagstead(base_url=url, api_key=KEY, **fields)


def test_retriever_gives_documents_with_where_they_stand(url: str) -> None:
    found = retriever(url, k=2).invoke(QUESTION)
    assert len(found) == 2
    first = found[0]
    assert first.page_content == TIDE.decode()
    assert first.id == first.metadata["chunk_id"]
    assert set(first.metadata) == {
        "document_id", "file_id", "chunk_id", "filename", "page", "heading_path", "start", "end", "score"
    }  # fmt: skip
    assert (first.metadata["document_id"], first.metadata["filename"]) == ("tide", "tide.txt")
    assert (first.metadata["start"], first.metadata["end"]) == (0, len(TIDE))
    assert found[0].metadata["score"] >= found[1].metadata["score"]


def test_retriever_keeps_to_collection_filter_strategy_and_k(url: str) -> None:
    only = {"type": "eq", "key": "year", "value": 2023}
    assert [one.metadata["document_id"] for one in retriever(url, filter=only).invoke(QUESTION)] == ["cook"]
    assert [one.metadata["document_id"] for one in retriever(url, collection="empty").invoke(QUESTION)] == ["bread"]
    assert len(retriever(url, k=1, strategy="dense").invoke(QUESTION)) == 1
    assert retriever(url, strategy=Strategy.LEXICAL).invoke("zzz") == []


def test_asynchronous_retriever_finds_the_same(url: str) -> None:
    async def both() -> Any:
        return await asyncio.gather(retriever(url).ainvoke(QUESTION), retriever(url).ainvoke(QUESTION))

    first, second = asyncio.run(both())
    assert first == second == retriever(url).invoke(QUESTION)


def test_chat_answers_with_citations_and_receipt(url: str) -> None:
    message = chat(url).invoke(QUESTION)
    assert message.content == ANSWER
    (citation,) = message.response_metadata["citations"]
    assert (citation["quote"], citation["document_id"]) == ("The tide turns at noon", "tide")
    assert message.response_metadata["rag"]["refused"] is False
    assert message.response_metadata["model_name"] == "ragstead"
    assert message.additional_kwargs["annotations"][0]["filename"] == "tide.txt"
    assert message.usage_metadata["total_tokens"] > 0


@pytest.mark.parametrize("model", ANSWERS)
def test_streamed_chat_is_the_unstreamed_one_in_pieces(url: str, model: str) -> None:
    question, answer = ANSWERS[model]
    asked = chat(url, model=model)

    async def gathered() -> list[AIMessageChunk]:
        return [chunk async for chunk in asked.astream(question)]

    whole, awaited = asked.invoke(question), asyncio.run(asked.ainvoke(question))
    for chunks in (list(asked.stream(question)), asyncio.run(gathered())):
        joined = chunks[0]
        for chunk in chunks[1:]:
            joined += chunk
        assert joined.content == whole.content == awaited.content == answer
        assert joined.response_metadata["citations"] == whole.response_metadata["citations"]
        assert joined.response_metadata["rag"].keys() == whole.response_metadata["rag"].keys()
        assert joined.additional_kwargs == whole.additional_kwargs
        assert joined.usage_metadata == whole.usage_metadata
        assert joined.response_metadata["finish_reason"] == "stop"
    assert ("steps" in whole.response_metadata["rag"]) is (model == "ragstead-agent")


def test_fields_go_along_as_rag_and_a_call_may_say_otherwise(url: str) -> None:
    asked = chat(url, filter={"type": "eq", "key": "year", "value": 2023}, k=3, strategy="lexical")
    assert asked.invoke(QUESTION).response_metadata["rag"]["refused"] is True
    assert asked.invoke(QUESTION, filter={"type": "eq", "key": "year", "value": 2024}).content == ANSWER
    assert asked.bind(collection="empty", filter=None).invoke("When is bread baked?").response_metadata["citations"]
    assert chat(url, max_tokens=3).invoke(QUESTION).response_metadata["finish_reason"] == "length"
    assert chat(url).invoke(QUESTION, stop=["tide"]).content != ANSWER


def test_conversations_are_sent_as_they_stand(url: str) -> None:
    messages = [SystemMessage("Be brief."), HumanMessage("Hello"), AIMessage("Ahoy"), HumanMessage([QUESTION])]
    assert chat(url).invoke(messages).content == ANSWER
    with pytest.raises(InvalidRequest, match="tool message is not understood"):
        chat(url).invoke([HumanMessage("x"), ToolMessage("y", tool_call_id="1")])
    with pytest.raises(InvalidRequest, match="only text is understood"):
        chat(url).invoke([HumanMessage([{"type": "image_url", "image_url": {"url": "x"}}])])


def test_conversation_that_the_server_keeps_is_gone_on_with(url: str) -> None:
    with httpx2.Client(headers={"authorization": f"Bearer {KEY}"}) as client:
        kept = client.post(f"{url}/conversations", json={}).json()["id"]
    asked = chat(url, conversation_id=kept)
    assert asked.invoke(QUESTION).content == ANSWER
    follow_up = asked.invoke("And when does the harbour close?")
    assert "six in the evening [1]" in str(follow_up.content)
    with pytest.raises(InvalidRequest, match="kept by the server"):
        asked.invoke([HumanMessage(QUESTION), AIMessage(ANSWER), HumanMessage("And when does it close?")])


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.tokens: list[str] = []

    def on_llm_new_token(self, token: str, **_: Any) -> None:
        self.tokens.append(token)


def test_callbacks_hear_of_each_sentence(url: str) -> None:
    heard = Heard()
    asked = chat(url, model="ragstead-agent", top_p=0.5)  # like no other question here: what is kept comes in one piece
    list(asked.stream(BOTH, {"callbacks": [heard]}))
    assert [one for one in heard.tokens if one] == [ANSWER, " The cook is called Marta Silva [2]."]


def test_chain_of_retriever_prompt_and_model_runs(url: str) -> None:
    prompt = ChatPromptTemplate.from_template("{question}")
    documents = retriever(url, k=1) | (lambda found: found[0].metadata["document_id"])
    chain = {"context": documents, "question": RunnablePassthrough()} | prompt | chat(url) | StrOutputParser()
    assert chain.invoke(QUESTION) == ANSWER


def test_retriever_is_a_tool_for_agents_of_ones_own(url: str) -> None:
    tool = create_retriever_tool(retriever(url, k=1), "handbook", "Searches the handbook.")
    assert tool.invoke({"query": QUESTION}) == TIDE.decode()


def test_errors_are_the_houses(url: str) -> None:
    for asked in (chat(url, collection="gone"), retriever(url, collection="gone")):
        with pytest.raises(NotFound, match="no collection named 'gone'"):
            asked.invoke(QUESTION)
    with pytest.raises(NotFound, match="no model named 'gpt'"):
        list(chat(url, model="gpt").stream(QUESTION))
    with pytest.raises(InvalidRequest) as caught:
        chat(url).invoke(QUESTION, tools=[{"type": "function", "function": {"name": "f"}}])
    assert caught.value.param == "tools"
    with pytest.raises(Unauthenticated):
        RagsteadRetriever(base_url=url, api_key="another").invoke(QUESTION)
    with pytest.raises(Unavailable, match="start the platform"):
        RagsteadRetriever(base_url=f"http://127.0.0.1:{free_port()}/v1").invoke(QUESTION)
    assert KEY not in repr(chat(url)) + repr(retriever(url))


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ([HEAD, event("The tide"), "abort"], "platform"),
        ([HEAD, event("The tide")], "broke off"),
        ([HEAD, b"data: {\n\n"], "no JSON"),
        ([HEAD, event("The tide"), b'data: {"error": {"message": "it fell over"}}\n\n'], "it fell over"),
        (refuses(503, "the queue is full", "Retry-After: 7"), "the queue is full"),
        ([b"HTTP/1.1 500 X\r\nContent-Length: 4\r\nConnection: close\r\n\r\noops"], "answered 500"),
    ],
)
def test_stream_that_breaks_is_an_error(script: list[Any], words: str) -> None:
    with scripted(script) as server, pytest.raises(Unavailable, match=words):
        list(ChatRagstead(base_url=server.base_url).stream(QUESTION))


def test_stream_that_is_left_hangs_up() -> None:
    with scripted([HEAD, event("The tide"), 30.0]) as server:
        stream = ChatRagstead(base_url=server.base_url).stream(QUESTION)
        assert next(iter(stream)).content == "The tide"
        stream.close()
        assert server.hung_up.wait(5)


def test_langchains_own_client_drives_both_models(url: str) -> None:
    def given(model: str, **how: Any) -> ChatOpenAI:
        return ChatOpenAI(model=model, base_url=url, api_key=KEY, max_retries=0, stream_usage=True, **how)

    async def awaited(model: str, question: str) -> list[str]:
        async with httpx2.AsyncClient() as client:  # LangChain's own would outlive this loop
            asked = given(model, http_async_client=client)
            text = "".join([str(chunk.content) async for chunk in asked.astream(question)])
            return [text, str((await asked.ainvoke(question)).content)]

    with httpx2.Client() as client:
        for model, (question, answer) in ANSWERS.items():
            asked = given(model, http_client=client)
            assert asked.invoke(question).content == answer
            assert "".join(str(chunk.content) for chunk in asked.stream(question)) == answer
            assert asyncio.run(awaited(model, question)) == [answer, answer]
            only = {"rag": {"filter": {"type": "eq", "key": "year", "value": 1999}}}
            filtered = given(model, http_client=client, extra_body=only).invoke(question)
            assert "I found nothing" in str(filtered.content)
            with_tool = asked.bind_tools([{"type": "function", "function": {"name": "f", "parameters": {}}}])
            with pytest.raises(openai.BadRequestError, match="can't do that"):
                with_tool.invoke(question)


def test_example_runs_as_its_reader_runs_it(tmp_path: Path) -> None:
    handbook = [
        Submission(file.name, file.name, file.read_bytes()) for file in (ROOT / "samples" / "handbook").glob("*.md")
    ]
    settings = load_settings(None, data_dir=tmp_path / "data", environ={})
    with serving_platform(settings, {"default": handbook}, [KEY]) as served:
        environ = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        environ |= {"RAGSTEAD_URL": f"{served}/v1", "RAGSTEAD_API_KEY": KEY}
        done = subprocess.run(
            [sys.executable, "ask.py"], cwd=ROOT / "examples" / "langchain", env=environ, capture_output=True,
            text=True, timeout=120, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    said = dict(line.split(": ", 1) for line in lines if not line.startswith((" ", "found")))
    assert lines[0].startswith("found leave.md from ")
    assert "27 days" in said["answer"]
    assert said["answer"] == said["streamed"] == said["ChatOpenAI"]
    assert "27 days" in said["agent"]
    assert "14 characters" in said["agent"]
    assert sum(line.startswith("  searched: ") for line in lines) == 3
