"""Embeds texts with OpenAI's own client: `pip install openai`, then `python embed.py`.

RAGSTEAD_URL says where the service is (`http://127.0.0.1:8081/v1`), RAGSTEAD_API_KEY is its key if it has one.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from openai import OpenAI

SENTENCES = ["How do I reset my password?", "Steps to recover a forgotten login", "Bananas are yellow"]


def cosine(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the cosine of two vectors; they have unit length, so that it is their product."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def main() -> None:
    """Embed three sentences at once and one alone, and print what came of it."""
    client = OpenAI(
        base_url=os.environ.get("RAGSTEAD_URL", "http://127.0.0.1:8081/v1"),
        api_key=os.environ.get("RAGSTEAD_API_KEY", "unused"),
    )
    reply = client.embeddings.create(model="text-embedding-3-small", input=SENTENCES)
    first, second, third = (one.embedding for one in reply.data)
    print(f"{reply.model}: {len(first)} dimensions, {reply.usage.prompt_tokens} tokens")
    print(f"{cosine(first, second):.3f}  {SENTENCES[0]} | {SENTENCES[1]}")
    print(f"{cosine(first, third):.3f}  {SENTENCES[0]} | {SENTENCES[2]}")

    # The client asks for base64 and decodes it; a reader of JSON may want numbers.
    alone = client.embeddings.create(model="all-MiniLM-L6-v2", input=SENTENCES[0], encoding_format="float")
    print(f"{cosine(first, alone.data[0].embedding):.3f}  the first sentence with itself, embedded alone")


if __name__ == "__main__":
    main()
