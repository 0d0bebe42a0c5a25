"""From a trace as it was taken to one that may leave the house: plain, redacted, and no longer than it may be."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import orjson

from ragstead.ids import long_random_id
from ragstead.ports.trace_backend import WrittenScore, WrittenSpan, WrittenTrace
from ragstead.ports.tracer import Content, Fact, Json, Score, Span, Trace
from ragstead.surrogates import without_surrogates

_REMEMBERED = 8192
_REMEMBERED_CHARS = 2000
_MARGIN_CHARS = 256
"""Read beyond the limit before it is cut there, so that nothing to be redacted is cut in two and slips through."""
_MOST_ITEMS = 200
_FACT_CHARS = 500
_PLAIN = frozenset({int, float, bool, type(None)})


@dataclass(frozen=True, slots=True)
class WritingRules:
    """What may leave the house.

    Attributes:
        contents: Whether contents do; else only how long they are.
        private: Whether those of kept conversations do too, which their owners can delete here and not there.
        redact: Takes out of a text what nobody else is to know; None: nothing.
        max_chars: Of one text; what is longer is cut, with a mark.
    """

    contents: bool = True
    private: bool = False
    redact: Callable[[str], str] | None = None
    max_chars: int = 20_000


class Writer:
    """Writes traces down; belongs to one thread, and is the only place where contents are read.

    Ids (what stands under `id` or `..._id`) are never redacted: half of all numbers look like somebody's telephone.

    Args:
        rules: What may leave the house.
    """

    def __init__(self, rules: WritingRules) -> None:
        self._rules = rules
        self._remembered = lru_cache(_REMEMBERED)(self._made_fit)  # the same passages are found again and again

    def trace(self, given: Trace) -> WrittenTrace:
        """Return the trace as it may be sent; spans that have not ended are left out, and what was given is emptied.

        Trace and spans hold each other, and all that they are about: emptied they go at once, without a collection.
        """
        context, shown = given.context, self._rules.contents and (self._rules.private or not given.private)
        spans = [one for one in given.spans if one.ended_ns]
        given.spans.clear()
        return WrittenTrace(
            context.trace_id,
            given.name,
            self._user(context.user),
            _clean(given.session),
            given.release,
            {_short(name): self._fit(value) if shown else "" for name, value in context.metadata.items()},
            [self._span(one, shown=shown) for one in spans],
            dict(given.scores),
        )

    def score(self, given: Score) -> WrittenScore:
        """Return the judgement as it may be sent; without contents its comment stays here."""
        comment = self._fit(given.comment) if self._rules.contents else ""
        return WrittenScore(
            given.trace_id,
            given.name,
            given.value,
            long_random_id(),
            time.time_ns(),
            given.span_id,
            comment,
            given.by_person,
        )

    def _span(self, one: Span, *, shown: bool) -> WrittenSpan:
        given = (self._content(one.input, shown=shown), self._content(one.output, shown=shown))
        one.input = one.output = None
        return WrittenSpan(
            one.name,
            one.kind.value,
            one.span_id,
            one.parent_id,
            one.began_ns,
            one.ended_ns,
            *given,
            {name: self._fact(name, value) for name, value in one.facts.items() if value != ""},
            _short(one.model),
            one.tokens,
            one.cost_usd,
            one.first_token_ns,
            self._error(one, shown=shown),
            one.is_warning,
        )

    def _content(self, content: Content, *, shown: bool) -> str:
        value = content() if callable(content) else content
        if value is None:
            return ""
        if not shown:
            return json.dumps({"chars": _chars(value)})
        if isinstance(value, str):
            return self._fit(value)
        return _as_json(self._fitted(value))

    def _fitted(self, value: Json, name: str = "") -> Json:
        if isinstance(value, str):
            return _clean(value) if _is_id(name) else self._fit(value)
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, Mapping):
            return {
                _clean(key): one if type(one) in _PLAIN else self._fitted(one, key)  # most are scores
                for key, one in value.items()
            }
        most = [self._fitted(one, name) for one in value[:_MOST_ITEMS]]
        return most if len(value) <= _MOST_ITEMS else [*most, f"… [cut: {len(value)} items]"]

    def _fit(self, text: str) -> str:
        return self._remembered(text) if len(text) <= _REMEMBERED_CHARS else self._made_fit(text)

    def _made_fit(self, text: str) -> str:
        most = self._rules.max_chars
        read = _clean(text[: most + _MARGIN_CHARS])
        if self._rules.redact is not None:
            read = self._rules.redact(read)
        return read if len(text) <= most else f"{read[:most]}… [cut: {len(text)} characters]"

    def _fact(self, name: str, value: Fact) -> Fact:
        if not isinstance(value, str):
            return value
        return _short(value) if _is_id(name) else self._fit(value[:_FACT_CHARS])

    def _user(self, user: str) -> str:
        """Return who asks; a name that would be redacted, an address say, as an id that stays the same."""
        name = _short(user)
        if not name or self._rules.redact is None or self._rules.redact(name) == name:
            return name
        return f"user-{hmac.digest(name.encode(), b'ragstead user', 'sha256').hex()[:16]}"

    def _error(self, one: Span, *, shown: bool) -> str:
        if not (one.error and one.message and shown):
            return one.error
        return f"{one.error}: {self._fit(one.message)}"


def _as_json(value: Json) -> str:
    """Return the JSON; what is no number is null in it, and a whole number of more than 64 bits is a text."""
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return orjson.dumps(_in_64_bits(value)).decode()


def _in_64_bits(value: Json) -> Json:
    if isinstance(value, int):
        return value if -(1 << 63) <= value < 1 << 64 else str(value)
    if isinstance(value, Mapping):
        return {key: _in_64_bits(one) for key, one in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_in_64_bits(one) for one in value]
    return value


def _is_id(name: str) -> bool:
    return name == "id" or name.endswith("_id")


def _clean(text: str) -> str:
    """Return the text without what no UTF-8, or no database, can hold."""
    return text if text.isascii() and "\x00" not in text else without_surrogates(text.replace("\x00", "\ufffd"))


def _short(text: str) -> str:
    return _clean(text[:_FACT_CHARS])


def _chars(value: Json) -> int:
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(map(_chars, value.values()))
    return sum(map(_chars, value)) if isinstance(value, Sequence) else 0
