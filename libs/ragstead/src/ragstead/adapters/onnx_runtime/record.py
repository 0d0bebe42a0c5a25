"""What is known of exported graphs: `model.json` beside them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ragstead.errors import Unavailable

_NAME = "model.json"
FORM = 4
"""Counts the ways in which graphs were written; those of an older one are built again. Their vectors are the same."""


@dataclass(frozen=True, slots=True)
class GraphRecord:
    """What graphs were made of, and how they did.

    Attributes:
        weights_sha256: Of the file of weights.
        pooling: That of the graphs.
        cosines: Lowest cosine to the reference by precision.
        reciprocal_ranks: Mean reciprocal rank of the right passages for the questions of a small set, by precision.
        form: How the graphs are written, see `FORM`; 1 where the file doesn't say.
        parts: Files of a graph, see `part_paths`.
        whole: Precisions of which there is the graph in one file, too.
    """

    weights_sha256: str
    pooling: str
    cosines: Mapping[str, float]
    reciprocal_ranks: Mapping[str, float]
    form: int = 1
    parts: int = 1
    whole: Sequence[str] = ()

    def paths(self, folder: Path, precision: str) -> list[Path]:
        """Return all files of a graph."""
        whole = [whole_path(folder, precision)] if precision in self.whole else []
        return [*whole, *part_paths(folder, precision, self.parts)]

    def has(self, folder: Path, precision: str) -> bool:
        """Return whether a proven graph of that precision lies in `folder`, whole."""
        return precision in self.cosines and all(path.is_file() for path in self.paths(folder, precision))


def whole_path(folder: Path, precision: str) -> Path:
    """Return the file of a graph that is in one."""
    return folder / f"{precision}.onnx"


def part_paths(folder: Path, precision: str, parts: int) -> list[Path]:
    """Return the files of a graph that is cut, in their order: `int8.1.onnx` and so on."""
    return [folder / f"{precision}.{n}.onnx" for n in range(1, parts + 1)]


def read_record(folder: Path) -> GraphRecord | None:
    """Return the record of the graphs in `folder`; None where there are none.

    Raises:
        Unavailable: If it is damaged.
    """
    path = folder / _NAME
    try:
        return GraphRecord(**json.loads(path.read_text("utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise Unavailable("embedding", f"can't read {path}: {error}; delete it and export the model again") from error


def is_built(folder: Path, precision: str) -> bool:
    """Return whether `folder` holds a proven graph of that precision, written as they are now.

    Raises:
        Unavailable: If the record is damaged.
    """
    record = read_record(folder)
    return record is not None and record.form == FORM and record.has(folder, precision)


def write_record(folder: Path, record: GraphRecord) -> None:
    """Write the record, whole or not at all."""
    unfinished = folder / f"{_NAME}.new"
    unfinished.write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
    unfinished.replace(folder / _NAME)
