"""Numbers of list items and headings, which a DOCX keeps as rules and not as text."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from docx.oxml.ns import qn

if TYPE_CHECKING:
    from docx.document import Document
    from docx.oxml.xmlchemy import BaseOxmlElement

_VALUE = qn("w:val")
_PLACE = re.compile(r"%(\d)")
_ROMAN = (
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
)


@dataclass(frozen=True, slots=True)
class _Level:
    style: str
    pattern: str
    start: int


class Numbering:
    """Counts the document's numbered paragraphs as Word does: by list definition and level."""

    def __init__(self, document: Document) -> None:
        self._levels: dict[str, dict[int, _Level]] = {}
        self._definition: dict[str, str] = {}
        self._counts: dict[str, dict[int, int]] = defaultdict(dict)
        part = next(
            (
                rel.target_part
                for rel in document.part.rels.values()
                if not rel.is_external and rel.reltype.endswith("/numbering")
            ),
            None,
        )
        if part is not None:
            self._read(part.element)

    def _read(self, root: BaseOxmlElement) -> None:
        for abstract in root.findall(qn("w:abstractNum")):
            name = abstract.get(qn("w:abstractNumId"))
            self._levels[name] = {int(one.get(qn("w:ilvl"), 0)): _level(one) for one in abstract.findall(qn("w:lvl"))}
        for number in root.findall(qn("w:num")):
            abstract = number.find(qn("w:abstractNumId"))
            if abstract is not None:
                self._definition[number.get(qn("w:numId"))] = abstract.get(_VALUE)

    def next(self, num_id: str, level: int) -> str | None:
        """Return the mark of the next paragraph of that list and level: `-` for a bullet, `1.2`, or None."""
        definition = self._definition.get(num_id)
        rules = self._levels.get(definition or "", {})
        rule = rules.get(level)
        if definition is None or rule is None or rule.style == "none":
            return None
        counts = self._counts[definition]
        for deeper in [one for one in counts if one > level]:
            del counts[deeper]
        for above in range(level):
            counts.setdefault(above, rules[above].start if above in rules else 1)
        counts[level] = counts.get(level, rule.start - 1) + 1
        if rule.style == "bullet":
            return "-"

        def placed(match: re.Match[str]) -> str:
            at = int(match.group(1)) - 1
            return _written(counts.get(at, 1), rules[at].style if at in rules else "decimal")

        return _PLACE.sub(placed, rule.pattern).strip() or None


def _level(element: BaseOxmlElement) -> _Level:
    def value(name: str, default: str) -> str:
        found = element.find(qn(name))
        return default if found is None else found.get(_VALUE, default)

    start = value("w:start", "1")
    return _Level(value("w:numFmt", "decimal"), value("w:lvlText", ""), int(start) if start.isdigit() else 1)


def _written(number: int, style: str) -> str:
    if style in {"lowerLetter", "upperLetter"} and number > 0:
        letter = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
        return letter if style == "lowerLetter" else letter.upper()
    if style in {"lowerRoman", "upperRoman"} and 0 < number < 4000:
        roman = ""
        for value, mark in _ROMAN:
            roman += mark * (number // value)
            number %= value
        return roman if style == "lowerRoman" else roman.upper()
    return str(number)
