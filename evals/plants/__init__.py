"""Releases that are worse on purpose, each in one way, and what the gate must name about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
SUITE = HERE.parent / "handbook.yaml"


@dataclass(frozen=True, slots=True)
class Plant:
    """A worse release.

    Attributes:
        configuration: Its file in this folder.
        champion: The file of what it is held against; None for the defaults.
        named: A measure that the gate must name.
    """

    configuration: str
    champion: str | None
    named: str


PLANTS: Mapping[str, Plant] = {
    "a worse chunker": Plant("tiny-chunks.yaml", None, "answers_contained"),
    "BM25 off": Plant("bm25-off.yaml", None, "ndcg@10"),
    "a broken prompt": Plant("broken-prompt.yaml", "model.yaml", "answers_contained"),
    "fabricated citations": Plant("fabricated-citations.yaml", "model.yaml", "citations_fabricated"),
    "2x latency": Plant("slow-model.yaml", "model.yaml", "latency"),
}


def written(configuration: str, folder: Path, port: int) -> Path:
    """Write a configuration of this folder into another, with the scripted model's port in it, and return its path."""
    text = (HERE / configuration).read_text("utf-8").replace("{PORT}", str(port)).replace("{HERE}", str(HERE))
    path = folder / configuration
    path.write_text(text, "utf-8")
    return path
