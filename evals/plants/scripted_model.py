"""A model server on loopback whose answers depend on its prompt alone: what plants with a model are asked of.

It speaks as much of OpenAI's chat API as the adapter asks for, streamed. The request's `model` says how it behaves:

- `honest` answers with the sentence of the evidence that shares most words with the question, and sets the passage's
  mark behind it where the instructions show how a mark looks;
- `fabricator` says the same, and adds a sentence that no passage holds, with the mark of one;
- `slow` says what `honest` says, after a pause.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

SLOW_S = 0.15
_PASSAGE = re.compile(r'<passage n="(\d+)"[^>]*>\n(.*?)\n</passage>', re.DOTALL)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"\w+")
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"


def reply(instructions: str, question: str, model: str) -> str:
    """Return what a model says to a prompt."""
    asked = {word.lower() for word in _WORD.findall(question) if len(word) > 3}
    best, said, passage = 0, "", 0
    for number, text in _PASSAGE.findall(instructions):
        for sentence in _SENTENCE.findall(text):
            shared = len(asked & {word.lower() for word in _WORD.findall(sentence)})
            if shared > best:
                best, said, passage = shared, sentence.strip(), int(number)
    if not said:
        return "NO ANSWER"
    words = said.rstrip(".!?")
    if not re.search(r"\[\d+\]", instructions.split("<evidence>", maxsplit=1)[0]):
        return f"{words}."
    answer = f"{words} [{passage}]."
    return f"{answer} The committee confirmed this on 99 occasions [{passage}]." if model == "fabricator" else answer


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    length = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length"))
    asked: dict[str, Any] = json.loads(await reader.readexactly(length))
    system, question = asked["messages"][0]["content"], asked["messages"][-1]["content"]
    if asked["model"] == "slow":
        await asyncio.sleep(SLOW_S)
    text = reply(system, question, asked["model"])
    for delta, finish in (({"content": text}, None), ({}, "stop")):
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        event = {"object": "chat.completion.chunk", "choices": [choice]}
        writer.write((_HEAD if finish is None else b"") + f"data: {json.dumps(event)}\n\n".encode())
    writer.write(b"data: [DONE]\n\n")
    await writer.drain()
    writer.close()


@asynccontextmanager
async def scripted_model() -> AsyncIterator[int]:
    """Serve on a free port of loopback, which is given, until the block ends."""
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
