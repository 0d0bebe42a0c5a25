"""Bytes to characters: byte order marks, then UTF-8, what the file declares, UTF-16, a guess."""

from __future__ import annotations

import codecs
from collections.abc import Callable

Guess = Callable[[bytes], str | None]
"""Returns the name of the encoding that bytes of no known one are most likely in, or None."""

Decode = Callable[[bytes, str | None], str]
"""Returns the text of bytes; the second argument is the encoding that the file declares, or None."""

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE_BYTES = 4096
_LAST_RESORT = "cp1252"
_WEB_NAMES = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
}
"""Names that files give and what they mean by them, as the WHATWG's encoding standard has it."""


def decode_text(data: bytes, declared: str | None, *, guess: Guess) -> str:
    """Return the text of `data`; never fails, as every byte means something in the last resort, cp1252.

    Args:
        data: The bytes, of any encoding.
        declared: The encoding that the file names, or None; passed over where the bytes are not valid in it.
        guess: Asked last, for bytes that are neither UTF-8 nor UTF-16.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    wide = _wide_encoding(data[:_SAMPLE_BYTES])
    candidates = [wide, "utf-8", declared] if wide else ["utf-8", declared]
    for candidate in candidates:
        text = _strictly(data, candidate)
        if text is not None:
            return text
    text = _strictly(data, guess(data))
    return text if text is not None else data.decode(_LAST_RESORT, "replace")


def _strictly(data: bytes, encoding: str | None) -> str | None:
    if not encoding:
        return None
    name = encoding.strip().strip("\"'").lower()
    try:
        return data.decode(_WEB_NAMES.get(name, name))
    except (LookupError, UnicodeDecodeError, ValueError):
        return None


def _wide_encoding(sample: bytes) -> str | None:
    """Tell UTF-16 without a byte order mark by the zero bytes that ASCII characters leave on one side."""
    if len(sample) < 4 or (len(sample) % 2 and len(sample) < _SAMPLE_BYTES):
        return None
    pairs = len(sample) // 2
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd > 0.4 * pairs and even < 0.05 * pairs:
        return "utf-16-le"
    if even > 0.4 * pairs and odd < 0.05 * pairs:
        return "utf-16-be"
    return None
