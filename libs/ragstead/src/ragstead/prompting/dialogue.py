"""Templates that a model is asked with about a conversation: to make a question stand alone, and to sum up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ragstead.errors import ConfigurationError
from ragstead.ports.generator import Message
from ragstead.prompting.templates import check_slots, read_parts

DIALOGUE_SLOTS: Mapping[str, frozenset[str]] = {
    "condense": frozenset({"conversation", "question"}),
    "summarise": frozenset({"summary", "conversation"}),
}
"""The templates there are, and the slots of each one's request."""

_TAG = re.compile(r"<(/?)\s*(conversation|question|notes)\b", re.IGNORECASE)
_SPEAKERS = {"user": "User", "assistant": "Assistant"}


@dataclass(frozen=True, slots=True)
class DialogueTemplate:
    """What a model is told about a conversation.

    Attributes:
        name: One of `DIALOGUE_SLOTS`.
        instructions: The system message.
        request: The user's message, with the slots of its kind.
    """

    name: str
    instructions: str
    request: str

    def __post_init__(self) -> None:
        for part, wanted in (("instructions", frozenset[str]()), ("request", DIALOGUE_SLOTS[self.name])):
            check_slots(self.name, part, getattr(self, part), wanted, param="deployment.generation.prompts_dir")

    def write(self, **slots: str) -> tuple[Message, ...]:
        """Return the two messages; what fills the slots is data, and can't close the tags that it stands in."""
        filled = {name: _TAG.sub(r"< \1\2", text) for name, text in slots.items()}
        return Message("system", self.instructions.format()), Message("user", self.request.format(**filled))


def read_dialogue_template(path: Path) -> DialogueTemplate:
    """Return the template in a YAML file, named after the file.

    Raises:
        ConfigurationError: If it can't be read, or a part or slot is missing or unknown.
    """
    raw = read_parts(path)
    if raw.keys() != {"instructions", "request"} or not all(isinstance(text, str) for text in raw.values()):
        raise ConfigurationError(f"{path} must hold the texts instructions, request and nothing else")
    return DialogueTemplate(path.stem, **raw)


def transcript(messages: Sequence[Message]) -> str:
    """Return the conversation as a text, a paragraph a turn; other roles than user and assistant are left out."""
    turns = [one for one in messages if one.role in _SPEAKERS and one.content.strip()]
    return "\n\n".join(f"{_SPEAKERS[one.role]}: {' '.join(one.content.split())}" for one in turns)
