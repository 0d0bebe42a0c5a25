"""BEIR folders: `corpus.jsonl`, `queries.jsonl` and `qrels/SPLIT.tsv`, read strictly and told by line."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ragstead.errors import InvalidRequest
from ragstead_cli.sources import Failure

_SPLITS = ("heldout", "test", "dev")
_LONGEST_ID = 512
_LONGEST_KEY = 64


class BadLine(Exception):
    """Raised inside this module for a line that is not what its file should hold."""


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A line of a corpus.

    Attributes:
        where: `path:line`, for reports.
        document_id: Its `_id`.
        title: Its title, or empty.
        text: Its text, or empty.
        attributes: Its `metadata`; values that are no string, number or boolean stand as JSON, nulls are left out.
    """

    where: str
    document_id: str
    title: str
    text: str
    attributes: dict[str, str | float | bool]


@dataclass(frozen=True, slots=True)
class Query:
    """A line of a file of queries or questions."""

    query_id: str
    text: str


def corpus_path(path: Path) -> Path:
    """Return the corpus of a BEIR folder, or the file itself where it is one.

    Raises:
        InvalidRequest: If there is none.
    """
    corpus = path / "corpus.jsonl" if path.is_dir() else path
    if not corpus.is_file():
        raise InvalidRequest(f"{str(corpus)!r} is not there; a BEIR folder holds a corpus.jsonl", param="PATH")
    return corpus


def read_corpus(path: Path) -> Iterator[CorpusDocument | Failure]:
    """Yield each document in the order of the file, and a failure for each line that is none or repeats an id."""
    seen: set[str] = set()
    for number, line in _lines(path):
        where = f"{path}:{number}"
        try:
            document = _document(where, _mapping(line))
            _admit(document.document_id, seen)
        except BadLine as error:
            yield Failure(where, str(error))
        else:
            yield document


def read_queries(path: Path) -> list[Query]:
    """Return the queries of a JSON Lines file, in its order.

    Raises:
        InvalidRequest: If the file can't be read, a line has no `_id` or `text`, or an id is there twice.
    """
    queries: list[Query] = []
    seen: set[str] = set()
    for number, line in _lines(path):
        try:
            fields = _mapping(line)
            queries.append(Query(_identifier(fields), _text(fields, "text")))
            _admit(queries[-1].query_id, seen)
        except BadLine as error:
            raise InvalidRequest(f'{path}:{number}: {error}; lines must be {{"_id", "text"}}') from error
    return queries


def read_qrels(folder: Path, split: str | None = None) -> dict[str, dict[str, int]]:
    """Return the gain by document id, by query id, of a split; the first of heldout, test, dev where None is named.

    Raises:
        InvalidRequest: If there are no judgements, or a line is off.
    """
    names = (split,) if split else _SPLITS
    path = next((p for name in names if (p := folder / "qrels" / f"{name}.tsv").is_file()), None)
    if path is None:
        raise InvalidRequest(f"{str(folder)!r} has no qrels/{{{','.join(names)}}}.tsv", param="PATH")
    qrels: dict[str, dict[str, int]] = {}
    for number, line in _lines(path):
        fields = line.decode("utf-8", "replace").rstrip("\r\n").split("\t")
        if number == 1 and fields[0] == "query-id":
            continue
        try:
            query_id, document_id, gain = fields
            qrels.setdefault(query_id, {})[document_id] = int(gain)
        except ValueError:
            raise InvalidRequest(f"{path}:{number}: expected query id, document id, whole number") from None
    return qrels


def content_hash(path: Path) -> str:
    """First 8 hexadecimal digits of the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:8]


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as lines:
            yield from ((number, line) for number, line in enumerate(lines, 1) if line.strip())
    except OSError as exc:
        raise InvalidRequest(f"{path} can't be read: {exc.strerror}; check the path") from exc


def _mapping(line: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(line.decode("utf-8-sig"), parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise BadLine(f"it is no UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise BadLine("it is nested too deep") from None
    except json.JSONDecodeError as error:
        raise BadLine(f"it is no JSON: {error.msg} at column {error.colno}") from None
    if not isinstance(fields, dict):
        raise BadLine("it is no JSON object")
    return fields


def _admit(identifier: str, seen: set[str]) -> None:
    if identifier in seen:
        raise BadLine(f"its _id {identifier!r:.80} stands on an earlier line already")
    seen.add(identifier)


def _no_constant(name: str) -> float:
    raise BadLine(f"{name} is no JSON number")


def _document(where: str, fields: dict[str, Any]) -> CorpusDocument:
    metadata = fields.get("metadata") or {}
    if not isinstance(metadata, dict):
        raise BadLine("its metadata is no object")
    attributes = {_key(key): _scalar(value) for key, value in metadata.items() if value is not None}
    return CorpusDocument(where, _identifier(fields), _text(fields, "title", ""), _text(fields, "text"), attributes)


def _identifier(fields: dict[str, Any]) -> str:
    value = fields.get("_id")
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST_ID or "\x00" in value:
        raise BadLine(f"its _id must be a string of 1 to {_LONGEST_ID} characters")
    return _encodable(value)


def _text(fields: dict[str, Any], name: str, default: str | None = None) -> str:
    value = fields.get(name, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise BadLine(f"its {name} is no string")
    return _encodable(value)


def _key(key: str) -> str:
    if not 1 <= len(key) <= _LONGEST_KEY:
        raise BadLine(f"its metadata key {key!r:.80} must have 1 to {_LONGEST_KEY} characters")
    return _encodable(key)


def _scalar(value: object) -> str | float | bool:
    if isinstance(value, str):
        return _encodable(value)
    return value if isinstance(value, (bool, int, float)) else json.dumps(value)


def _encodable(text: str) -> str:
    """Replace lone surrogates, which JSON can spell and UTF-8 can't."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
