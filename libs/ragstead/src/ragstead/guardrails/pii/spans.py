"""The spans of personal data in a text, and the text without them."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ragstead.guardrails.pii.account_numbers import find_cards, find_ibans, find_social_security_numbers
from ragstead.guardrails.pii.network_names import find_domains, find_emails, find_ip_addresses
from ragstead.guardrails.pii.phone_numbers import find_phone_numbers


class PiiKind(StrEnum):
    """What kind of personal data a span is."""

    EMAIL = "email"
    PHONE = "phone"
    CARD = "card"
    IBAN = "iban"
    IP_ADDRESS = "ip_address"
    DOMAIN = "domain"
    US_SSN = "us_ssn"


ALL_KINDS = frozenset(PiiKind)
"""Every kind there is."""

_BETWEEN = re.compile(r"[\W_]+")
_NAMES = frozenset({PiiKind.EMAIL, PiiKind.DOMAIN})
"""Kinds made of words; the others are digits, which may be grouped in another way."""
_FINDERS: tuple[tuple[PiiKind, Callable[[str], Iterator[tuple[int, int]]], bool], ...] = (
    (PiiKind.IBAN, find_ibans, True),
    (PiiKind.CARD, find_cards, True),
    (PiiKind.US_SSN, find_social_security_numbers, True),
    (PiiKind.EMAIL, find_emails, False),
    (PiiKind.DOMAIN, find_domains, False),
    (PiiKind.IP_ADDRESS, find_ip_addresses, False),
    (PiiKind.PHONE, find_phone_numbers, True),
)
"""In order of certainty: where two overlap the earlier one stands. The flag says that it takes digits."""


@dataclass(frozen=True, slots=True)
class PiiSpan:
    """A piece of personal data.

    Attributes:
        start: Offset of its first character.
        end: Offset behind its last.
        kind: What it is.
    """

    start: int
    end: int
    kind: PiiKind

    @property
    def placeholder(self) -> str:
        """What stands for it in a redacted text: `<EMAIL>`, `<IP_ADDRESS>`."""
        return f"<{self.kind.name}>"


def find_pii(text: str, kinds: Collection[PiiKind] = ALL_KINDS) -> tuple[PiiSpan, ...]:
    """Return the personal data of the kinds wanted, in order, none overlapping; time linear in the text.

    Every kind is looked for, so that a card is never told as a phone number because cards were not asked for.
    """
    digits = any(char.isdecimal() for char in text)
    found: list[PiiSpan] = []
    for kind, find, takes_digits in _FINDERS:
        if digits or not takes_digits:
            found += _apart([PiiSpan(start, end, kind) for start, end in find(text)], found)
    return tuple(sorted((span for span in found if span.kind in kinds), key=lambda span: span.start))


def _apart(new: Iterable[PiiSpan], known: Collection[PiiSpan]) -> list[PiiSpan]:
    """Return the new spans that touch no known one and not each other, the first of each clash kept."""
    taken = sorted((span.start, span.end) for span in known)
    kept: list[PiiSpan] = []
    at, behind = 0, 0
    for span in sorted(new, key=lambda one: (one.start, -one.end)):
        while at < len(taken) and taken[at][1] <= span.start:
            at += 1
        if span.start >= behind and (at == len(taken) or taken[at][0] >= span.end):
            kept.append(span)
            behind = span.end
    return kept


def redact(text: str, spans: Iterable[PiiSpan] | None = None) -> str:
    """Return the text with a typed placeholder for each span; for all that `find_pii` finds where none are given.

    Args:
        text: Any text.
        spans: In order and not overlapping, as `find_pii` returns them.
    """
    parts: list[str] = []
    at = 0
    for span in find_pii(text) if spans is None else spans:
        parts += (text[at : span.start], span.placeholder)
        at = span.end
    return "".join((*parts, text[at:]))


def is_redacted(text: str) -> bool:
    """Return whether a placeholder stands in the text, as `redact` leaves it."""
    return any(f"<{kind.name}>" in text for kind in PiiKind)


def leaked_pii(answer: str, sources: Iterable[str], kinds: Collection[PiiKind] = ALL_KINDS) -> tuple[PiiSpan, ...]:
    """Return the personal data of an answer that stands in none of its sources; case and gaps in numbers aside."""
    return finder_of_leaks(sources, kinds)(answer)


def finder_of_leaks(
    sources: Iterable[str], kinds: Collection[PiiKind] = ALL_KINDS
) -> Callable[[str], tuple[PiiSpan, ...]]:
    """Return what finds the leaked personal data of an answer, the same sources searched once for each piece of it."""
    known = _Sources(tuple(sources))
    return lambda answer: tuple(
        span for span in find_pii(answer, kinds) if not known.have(answer[span.start : span.end], span.kind)
    )


class _Sources:
    """Texts whose personal data may be said again."""

    def __init__(self, texts: Collection[str]) -> None:
        self._texts = texts
        self._told: dict[tuple[str, PiiKind], bool] = {}

    @cached_property
    def _letters(self) -> tuple[tuple[str, str], ...]:
        return tuple((_letters_of(text), text) for text in self._texts)

    def have(self, found: str, kind: PiiKind) -> bool:
        """Return whether one of them has the same letters and digits, as whole words."""
        if (found, kind) not in self._told:
            self._told[found, kind] = self._search(found, kind)
        return self._told[found, kind]

    def _search(self, found: str, kind: PiiKind) -> bool:
        letters = _letters_of(found)
        maybe = [text for all_letters, text in self._letters if letters in all_letters]
        if not maybe:
            return False
        parts = re.findall(r"[^\W_]+" if kind in _NAMES else r"[^\W_]", found)
        between = r"[\W_]{0,3}".join(map(re.escape, parts))
        wanted = re.compile(rf"(?<![^\W_]){between}(?![^\W_])", re.IGNORECASE)
        return any(wanted.search(text) for text in maybe)


def _letters_of(text: str) -> str:
    """Return its letters and digits alone: to look for those of a number first is a hundred times faster."""
    return _BETWEEN.sub("", text).lower()
