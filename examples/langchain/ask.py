"""Searches and asks a running platform from LangChain; runs in Ragstead's environment, with `langchain-openai` in it.

RAGSTEAD_URL says where the platform is (`http://127.0.0.1:8080/v1`), RAGSTEAD_API_KEY is its key if it has one. The
questions are for the sample handbook that `make up` ingests.
"""

from __future__ import annotations

import os

from langchain_core.output_parsers import StrOutputParser
from langchain_openai import ChatOpenAI

from ragstead.adapters.langchain import ChatRagstead, RagsteadRetriever

QUESTION = "How many days of paid annual leave do full-time employees have?"
TWO_QUESTIONS = f"{QUESTION} How many characters does a password have?"


def main() -> None:
    """Retrieve, ask, stream, let the agent search, and ask with LangChain's own client."""
    os.environ["LANGSMITH_TRACING"] = "false"  # nothing is reported to anybody
    url = os.environ.get("RAGSTEAD_URL", "http://127.0.0.1:8080/v1")
    key = os.environ.get("RAGSTEAD_API_KEY", "unused")

    for document in RagsteadRetriever(base_url=url, api_key=key, k=2).invoke(QUESTION):
        print(f"found {document.metadata['filename']} from {document.metadata['start']}")

    chat = ChatRagstead(base_url=url, api_key=key)
    message = chat.invoke(QUESTION)
    print(f"answer: {message.content}")
    for citation in message.response_metadata["citations"]:
        print(f"  [{citation['n']}] {citation['filename']}: {citation['quote']}")

    print("streamed: ", end="")
    for text in (chat | StrOutputParser()).stream(QUESTION):
        print(text, end="")
    print()

    agent = ChatRagstead(base_url=url, api_key=key, model="ragstead-agent")
    message = agent.invoke(TWO_QUESTIONS)
    print(f"agent: {message.content}")
    for step in message.response_metadata["rag"]["steps"]:
        if step["action"] == "search":
            print(f"  searched: {step['query']}")

    openai_client = ChatOpenAI(
        model="ragstead", base_url=url, api_key=key, extra_body={"rag": {"collection": "default", "k": 5}}
    )
    print(f"ChatOpenAI: {openai_client.invoke(QUESTION).content}")


if __name__ == "__main__":
    main()
