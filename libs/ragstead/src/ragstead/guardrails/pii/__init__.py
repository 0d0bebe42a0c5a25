"""Personal data in a text: e-mail, phone, card, IBAN, IP address, domain, US social security number."""

from ragstead.guardrails.pii.spans import (
    ALL_KINDS,
    PiiKind,
    PiiSpan,
    find_pii,
    finder_of_leaks,
    is_redacted,
    leaked_pii,
    redact,
)
from ragstead.guardrails.pii.streamed import PiiWindow, undecided_from

__all__ = [
    "ALL_KINDS",
    "PiiKind",
    "PiiSpan",
    "PiiWindow",
    "find_pii",
    "finder_of_leaks",
    "is_redacted",
    "leaked_pii",
    "redact",
    "undecided_from",
]
