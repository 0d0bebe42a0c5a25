"""Guesses the encoding of text by charset-normalizer."""

from __future__ import annotations

from charset_normalizer import from_bytes

_SAMPLE_BYTES = 256 * 1024
_LIKELY = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp932", "gb18030", "big5", "euc_jp", "cp949", "koi8_r"]
_SHORT_BYTES = 32
_CLOSE = 0.01
"""Code pages of one family garble a text equally little; what reads most like a language decides between them."""


def guess_encoding(data: bytes) -> str | None:
    """Return the most likely encoding of `data`, judged by its beginning; None where none is likely.

    A few words are too little to tell one code page from another, so short texts are taken for Western ones.
    """
    if len(data) < _SHORT_BYTES:
        return "cp1252"
    matches = list(from_bytes(data[:_SAMPLE_BYTES], cp_isolation=_LIKELY))
    if not matches:
        return None
    least = min(match.chaos for match in matches)
    close = [match for match in matches if match.chaos <= least + _CLOSE]
    return max(close, key=lambda match: (match.coherence, -_LIKELY.index(match.encoding))).encoding
