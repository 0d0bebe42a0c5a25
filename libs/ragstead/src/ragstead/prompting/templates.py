"""Named prompt templates: YAML files with an instruction and the words around evidence and question."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

import yaml

from ragstead.errors import ConfigurationError

_SLOTS = {
    "passage": {"n", "title", "text"},
    "question": {"question"},
    "instructions": set[str](),
    "evidence": {"passages"},
}
"""The slots of each part; a part has all of its own and no others."""


@dataclass(frozen=True, slots=True)
class PromptTemplate:
    """What a model is told around evidence and question.

    Attributes:
        name: What `pipeline.answer.prompt` calls it.
        instructions: The system message; the same for every question, so that a server's prefix cache holds it.
        evidence: Around all passages: `{passages}`.
        passage: One passage: `{n}`, `{title}`, `{text}`.
        question: The last turn: `{question}`.
    """

    name: str
    instructions: str
    evidence: str
    passage: str
    question: str

    def __post_init__(self) -> None:
        for part, wanted in _SLOTS.items():
            given = _slots(getattr(self, part), f"{self.name}: {part}")
            if given != wanted:
                slots = ", ".join(sorted(wanted)) or "none"
                raise ConfigurationError(
                    f"prompt template {self.name}: {part} has the slots {sorted(given)}; it needs {slots}",
                    param="pipeline.answer.prompt",
                )


def read_template(path: Path) -> PromptTemplate:
    """Return the template in a YAML file, named after the file.

    Raises:
        ConfigurationError: If it can't be read, or a part or slot is missing or unknown.
    """
    try:
        raw = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} can't be read: {' '.join(str(error).split())}") from error
    if not isinstance(raw, dict) or raw.keys() != _SLOTS.keys() or not all(isinstance(v, str) for v in raw.values()):
        raise ConfigurationError(f"{path} must hold the texts {', '.join(_SLOTS)} and nothing else")
    return PromptTemplate(path.stem, **raw)


def _slots(text: str, where: str) -> set[str]:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError as error:
        raise ConfigurationError(f"prompt template {where}: {error}; write {{{{ for a brace") from error
