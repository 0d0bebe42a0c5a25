"""OpenAI's filter objects, parsed once and strictly: what does not parse is refused and never widens a search.

A comparison holds only for documents that have the attribute: a missing one matches nothing, `ne` included.
Values compare within their kind alone (strings by code point, numbers, booleans): `"3"` is not `3`, and `true` is
not `1`; across kinds `eq`, `in` and the orderings do not hold, and `ne` does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from ragstead.errors import InvalidRequest
from ragstead.model import Attributes, AttributeValue

Operator = Literal["eq", "ne", "gt", "gte", "lt", "lte"]
_OPERATORS = frozenset({"eq", "ne", "gt", "gte", "lt", "lte"})
_MAX_DEPTH = 16
_MAX_COMPARISONS = 256
_MAX_VALUES = 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """`attributes[key] operator value`."""

    operator: Operator
    key: str
    value: AttributeValue


@dataclass(frozen=True, slots=True)
class Membership:
    """`attributes[key]` equals one of `values`."""

    key: str
    values: tuple[AttributeValue, ...]


@dataclass(frozen=True, slots=True)
class Compound:
    """All (`and`) or any (`or`) of `filters` hold; there is at least one."""

    operator: Literal["and", "or"]
    filters: tuple[Filter, ...]


Filter: TypeAlias = Comparison | Membership | Compound


def parse_filter(value: object) -> Filter | None:
    """Return the filter that a JSON value stands for; None for None.

    Raises:
        InvalidRequest: If it is anything but OpenAI's shape, or has more than 256 comparisons or 16 levels.
    """
    if value is None:
        return None
    parsed = _parse(value, "filter", 1)
    if _size(parsed) > _MAX_COMPARISONS:
        raise _bad("filter", f"has more than {_MAX_COMPARISONS} comparisons")
    return parsed


def filter_document(given: Filter) -> dict[str, Any]:
    """Return the JSON value that `parse_filter` reads as this filter."""
    if isinstance(given, Compound):
        return {"type": given.operator, "filters": [filter_document(one) for one in given.filters]}
    if isinstance(given, Membership):
        return {"type": "in", "key": given.key, "value": list(given.values)}
    return {"type": given.operator, "key": given.key, "value": given.value}


def matches(condition: Filter | None, attributes: Attributes) -> bool:
    """True where a document with these attributes passes; None passes everything."""
    match condition:
        case None:
            return True
        case Comparison(operator, key, value):
            return key in attributes and _compare(operator, attributes[key], value)
        case Membership(key, values):
            return key in attributes and any(_compare("eq", attributes[key], value) for value in values)
        case Compound("and", filters):
            return all(matches(part, attributes) for part in filters)
        case Compound(_, filters):
            return any(matches(part, attributes) for part in filters)


def kind_of(value: AttributeValue) -> Literal["boolean", "number", "string"]:
    """Kind within which a value compares."""
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _compare(operator: Operator, have: AttributeValue, want: AttributeValue) -> bool:
    if kind_of(have) != kind_of(want):
        return operator == "ne"
    return {
        "eq": have == want,
        "ne": have != want,
        "gt": have > want,  # type: ignore[operator]
        "gte": have >= want,  # type: ignore[operator]
        "lt": have < want,  # type: ignore[operator]
        "lte": have <= want,  # type: ignore[operator]
    }[operator]


def _parse(value: object, where: str, depth: int) -> Filter:
    if depth > _MAX_DEPTH:
        raise _bad(where, f"is nested more than {_MAX_DEPTH} deep")
    if not isinstance(value, Mapping):
        raise _bad(where, f"must be an object, not {type(value).__name__}")
    kind = value.get("type")
    if kind in ("and", "or"):
        return _compound(value, where, depth)
    if kind == "in":
        return _membership(value, where)
    if kind in _OPERATORS:
        return _comparison(value, where)
    raise _bad(f"{where}.type", f"must be one of eq, ne, gt, gte, lt, lte, in, and, or, not {kind!r}")


def _compound(value: Mapping[str, object], where: str, depth: int) -> Compound:
    _only(value, where, {"type", "filters"})
    parts = value.get("filters")
    if not isinstance(parts, list) or not parts:
        raise _bad(f"{where}.filters", "must be a list of at least one filter")
    operator = cast(Literal["and", "or"], value["type"])
    return Compound(operator, tuple(_parse(p, f"{where}.filters[{i}]", depth + 1) for i, p in enumerate(parts)))


def _membership(value: Mapping[str, object], where: str) -> Membership:
    _only(value, where, {"type", "key", "value"})
    values = value.get("value")
    if not isinstance(values, list) or not 1 <= len(values) <= _MAX_VALUES:
        raise _bad(f"{where}.value", f"must be a list of 1 to {_MAX_VALUES} values")
    return Membership(_key(value, where), tuple(_scalar(v, f"{where}.value[{i}]") for i, v in enumerate(values)))


def _comparison(value: Mapping[str, object], where: str) -> Comparison:
    _only(value, where, {"type", "key", "value"})
    operand = _scalar(value.get("value"), f"{where}.value")
    operator = cast(Operator, value["type"])
    if isinstance(operand, bool) and operator not in ("eq", "ne"):
        raise _bad(f"{where}.value", f"is a boolean, which {operator!r} can't order")
    return Comparison(operator, _key(value, where), operand)


def _only(value: Mapping[str, object], where: str, known: set[str]) -> None:
    unknown = sorted(str(name) for name in value if name not in known)
    if unknown:
        raise _bad(where, f"has an unknown field {unknown[0]!r}")


def _key(value: Mapping[str, object], where: str) -> str:
    key = value.get("key")
    if not isinstance(key, str) or not key:
        raise _bad(f"{where}.key", "must be a non-empty string")
    return key


def _scalar(value: object, where: str) -> AttributeValue:
    if isinstance(value, str | bool):
        return value
    if isinstance(value, int | float) and abs(value) <= 2**1023 and math.isfinite(value):
        return float(value)
    raise _bad(where, f"must be a string, a finite number or a boolean, not {value!r:.60}")


def _size(condition: Filter) -> int:
    return sum(_size(part) for part in condition.filters) if isinstance(condition, Compound) else 1


def _bad(where: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{where} {what}", param=where, code="invalid_filter")
