"""Named prompt templates: YAML files with an instruction and the words around evidence and question."""

from __future__ import annotations

import string
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from ragstead.errors import ConfigurationError

_SLOTS: Mapping[str, Set[str]] = {
    "passage": {"n", "title", "text"},
    "question": {"question"},
    "instructions": frozenset[str](),
    "evidence": {"passages"},
}
"""The slots of each part; a part has all of its own and no others. The platform fills them, and nobody else."""
_OPTIONS = {"max_tokens": int, "gate": str}
_GATES = ("answer", "topic")


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """What a model is told around evidence and question.

    Attributes:
        name: What `pipeline.answer.prompt` calls it.
        instructions: The system message; the same for every question, so that a server's prefix cache holds it.
        evidence: Around all passages: `{passages}`.
        passage: One passage: `{n}`, `{title}`, `{text}`.
        question: The last turn: `{question}`.
        max_tokens: Of the model's answer, where the caller names no number; None for the configured number.
        gate: What evidence must do before a model is asked: `answer` the question, or be on its `topic`.
    """

    name: str
    instructions: str
    evidence: str
    passage: str
    question: str
    max_tokens: int | None = None
    gate: Literal["answer", "topic"] = "answer"

    def __post_init__(self) -> None:
        for part, wanted in _SLOTS.items():
            check_slots(self.name, part, getattr(self, part), wanted, param="pipeline.answer.prompt")
        if self.gate not in _GATES or (self.max_tokens is not None and self.max_tokens < 1):
            raise ConfigurationError(
                f"prompt template {self.name}: gate is one of {', '.join(_GATES)}, max_tokens at least 1",
                param="pipeline.answer.prompt",
            )


def read_template(path: Path) -> PromptTemplate:
    """Return the template in a YAML file, named after the file.

    Raises:
        ConfigurationError: If it can't be read, or a part or slot is missing or unknown.
    """
    raw = read_parts(path)
    texts = {name: value for name, value in raw.items() if name not in _OPTIONS}
    if texts.keys() != _SLOTS.keys() or not all(isinstance(value, str) for value in texts.values()):
        raise ConfigurationError(f"{path} must hold the texts {', '.join(_SLOTS)} and nothing else")
    for name, kind in _OPTIONS.items():
        if type(raw.get(name, kind())) is not kind:
            raise ConfigurationError(f"{path}: {name} is {raw[name]!r:.80}, and no {kind.__name__}")
    return PromptTemplate(path.stem, **raw)


def read_parts(path: Path) -> dict[str, Any]:
    """Return what a YAML file maps names to.

    Raises:
        ConfigurationError: If it can't be read, or is no mapping of names.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict) or not all(isinstance(name, str) for name in raw):
        raise ConfigurationError(f"{path} must hold the texts {', '.join(_SLOTS)} and nothing else")
    return raw


def check_slots(template: str, part: str, text: str, wanted: Set[str], *, param: str) -> None:
    """Hold a part of a template to its slots.

    Args:
        template: The template's name.
        part: The part's.
        text: Its words.
        wanted: Names of the slots that it needs, and may have.
        param: The setting that names the template, for the error.

    Raises:
        ConfigurationError: If it has others, or one is malformed.
    """
    given = _slots_of(text, f"{template}: {part}")
    if given != wanted:
        slots = ", ".join(sorted(wanted)) or "none"
        raise ConfigurationError(
            f"prompt template {template}: {part} has the slots {sorted(given)}; it needs {slots}", param=param
        )


def _slots_of(text: str, where: str) -> set[str]:
    """Return the names of the slots in a text; `where` is for the error of one that is malformed."""
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ConfigurationError(f"prompt template {where}: {error}; write {{{{ for a brace") from error
