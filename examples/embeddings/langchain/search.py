"""Searches a few texts by meaning with LangChain: `pip install langchain-openai numpy`, then `python search.py`.

RAGSTEAD_URL says where the service is (`http://127.0.0.1:8081/v1`), RAGSTEAD_API_KEY is its key if it has one.
"""

from __future__ import annotations

import os

from langchain_core.vectorstores import InMemoryVectorStore
from langchain_openai import OpenAIEmbeddings

TEXTS = [
    "Full-time employees have 28 days of paid annual leave.",
    "Expenses over 500 euros need approval before they are made.",
    "The tide turns at noon, and ships leave the harbour with it.",
    "A password is reset from the link in the login page.",
]
QUESTIONS = ["How many vacation days do I get?", "When do boats set sail?"]


def main() -> None:
    """Embed, compare and search."""
    os.environ["LANGSMITH_TRACING"] = "false"  # nothing is reported to anybody
    embeddings = OpenAIEmbeddings(
        model="text-embedding-3-small",
        base_url=os.environ.get("RAGSTEAD_URL", "http://127.0.0.1:8081/v1"),
        api_key=os.environ.get("RAGSTEAD_API_KEY", "unused"),
        check_embedding_ctx_length=False,  # send texts: by default it sends token ids of OpenAI's vocabulary
    )
    print(f"{len(embeddings.embed_documents(TEXTS))} texts, {len(embeddings.embed_query(QUESTIONS[0]))} dimensions")

    store = InMemoryVectorStore(embeddings)
    store.add_texts(TEXTS)
    for question in QUESTIONS:
        [(found, score)] = store.similarity_search_with_score(question, k=1)
        print(f"{question} {score:.3f} {found.page_content}")


if __name__ == "__main__":
    main()
