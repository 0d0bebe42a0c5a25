"""Personal data in a text: e-mail, phone, card, IBAN, IP address, domain, US social security number."""

from ragstead.guardrails.pii.spans import ALL_KINDS, PiiKind, PiiSpan, find_pii, is_redacted, leaked_pii, redact

__all__ = ["ALL_KINDS", "PiiKind", "PiiSpan", "find_pii", "is_redacted", "leaked_pii", "redact"]
