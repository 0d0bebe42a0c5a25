"""Writes prompts that fit: instructions, then numbered evidence, then the conversation and the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragstead.errors import InvalidRequest
from ragstead.model import Hit
from ragstead.ports.generator import Message
from ragstead.prompting.templates import PromptTemplate
from ragstead.token_estimates import TOKENS_A_TURN


@dataclass(frozen=True, slots=True)
class Prompt:
    """A conversation for a model.

    Attributes:
        messages: Instructions with the evidence, earlier turns, the question.
        passages: How many passages are in it, from the first on.
    """

    messages: tuple[Message, ...]
    passages: int


def passages_of(template: PromptTemplate, hits: Sequence[Hit]) -> list[str]:
    """Return each passage as the model is to read it, numbered from 1.

    Text of documents is data: a line that would end the evidence early can't stand in it.
    """
    return [
        template.passage.format(n=n, title=quoted(hit.stored.title), text=quoted(hit.stored.chunk.text))
        for n, hit in enumerate(hits, 1)
    ]


def fitting(sizes: Sequence[int], room: int) -> int:
    """Return how many of the first passages have room together.

    Args:
        sizes: Tokens of each, best first.
        room: Tokens for all of them.

    Raises:
        InvalidRequest: If not even the first one has.
    """
    total = 0
    for n, size in enumerate(sizes):
        total += size + TOKENS_A_TURN
        if total > room:
            if n == 0:
                raise InvalidRequest(
                    f"the conversation leaves {max(room, 0)} tokens for evidence and the best passage has {size}; "
                    "shorten it, or ask for fewer tokens of answer",
                    param="messages",
                    code="context_length_exceeded",
                )
            return n
    return len(sizes)


def write_prompt(
    template: PromptTemplate, passages: Sequence[str], question: str, earlier: Sequence[Message] = ()
) -> Prompt:
    """Write the conversation.

    Instructions and evidence come first and in a stable order, so that a server's prefix cache holds them for the next
    question on the same passages. The caller's own instructions stand in the last turn: many models take one system
    message alone, and turns that alternate.

    Args:
        template: The words around.
        passages: As `passages_of` gives them.
        question: The standalone question.
        earlier: Turns before it, oldest first.
    """
    evidence = template.evidence.format(passages="\n\n".join(passages))
    system = Message("system", f"{template.instructions.format()}\n\n{evidence}")
    turns = [one for one in earlier if one.role != "system" and one.content]
    wishes = [one.content for one in earlier if one.role == "system" and one.content]
    last = "\n\n".join([*wishes, template.question.format(question=question)])
    return Prompt((system, *turns, Message("user", last)), len(passages))


def quoted(text: str) -> str:
    """Take the power from what looks like our own tags."""
    return text.replace("<passage", "< passage").replace("</passage", "< /passage").replace("</evidence", "< /evidence")
