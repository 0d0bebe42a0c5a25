"""Reads JSON and JSON lines with the standard library."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ragstead.errors import UnreadableDocument
from ragstead.extraction import Decode, TextBuilder
from ragstead.model import ExtractedText

_MAX_DEPTH = 100


class JsonLoader:
    """Flattens JSON into lines of `path: value`, one paragraph for each record of a list or of JSON lines."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def load(self, data: bytes, filename: str) -> ExtractedText:
        """Return the values under their paths; what is no JSON comes back as plain text.

        Raises:
            UnreadableDocument: If values are nested more than 100 deep.
        """
        text = self._decode(data, None)
        builder = TextBuilder()
        title = ""
        try:
            records = _records(text)
            for record in records:
                builder.paragraph("\n".join(_lines(record, "", 0)))
            if len(records) == 1 and isinstance(records[0], dict):
                title = records[0].get("title", "")
        except RecursionError as exc:
            raise UnreadableDocument(f"{filename}: values are nested more than {_MAX_DEPTH} deep") from exc
        except ValueError:  # what people call JSON has comments and trailing commas, and reads well as it is
            builder = TextBuilder()
            builder.paragraph(text)
        return builder.build(title if isinstance(title, str) else "")


def _records(text: str) -> list[object]:
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    if isinstance(whole, list) and any(isinstance(one, dict) for one in whole):
        return whole
    return [whole]


def _lines(value: object, path: str, depth: int) -> Iterator[str]:
    if depth > _MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _lines(inner, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        if all(not isinstance(inner, dict | list) for inner in value):
            yield _line(path, ", ".join(_word(inner) for inner in value))
        else:
            for i, inner in enumerate(value):
                yield from _lines(inner, f"{path}[{i}]", depth + 1)
    else:
        yield _line(path, _word(value))


def _line(path: str, words: str) -> str:
    return f"{path}: {words}" if path else words


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value)
