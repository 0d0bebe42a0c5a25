"""Numbers that carry a checksum or a fixed shape: payment cards, IBANs, US social security numbers.

Each finder takes time linear in the text: every pattern begins with a digit or a letter (what
must not stand before it is looked at from behind that, which lets `re` skip to it) and is bounded.
Not known here: digits other than 0-9, cards with other gaps than one space or hyphen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_GAP = r"[ \u00a0\u2009\u202f\u2010\u2011\u2013-]"
_CARD = re.compile(rf"[0-9](?<![\w.,+#-].)(?:{_GAP}?[0-9]){{11,18}}(?![\w-])(?![.,][0-9])")
_CARD_GROUPS = {
    (4, 4, 4),
    (4, 4, 4, 4),
    (4, 6, 5),
    (4, 6, 4),
    (4, 4, 4, 4, 3),
    (4, 4, 4, 1),
    (4, 5, 6),
    (6, 13),
    (4, 4, 5),
}
_ISSUERS = re.compile(
    r"(?:4(?:.{12}|.{15}|.{18})"  # Visa
    r"|(?:5[1-5]..|222[1-9]|22[3-9].|2[3-6]..|27[01].|2720).{12}"  # Mastercard
    r"|3[47].{13}"  # American Express
    r"|(?:30[0-5]|3[689].).{11}(?:..)?"  # Diners Club
    r"|(?:6011|64[4-9].|65..|62..).{12}(?:...)?"  # Discover, UnionPay
    r"|35.{14}|(?:2131|1800).{11}"  # JCB, all of 35 as issued for tests
    r"|(?:5018|5020|5038|5[6-8]..|6304|6390|67..|0604).{8,15})"  # Maestro
)
_IBAN = re.compile(r"[0-9](?<=[A-Za-z]{2}.)(?<![A-Za-z0-9]...)[0-9](?:[ \u00a0-]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
_IBAN_LENGTHS = dict(
    part.split(":")
    for part in """
    AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18
    DO:28 EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23
    IQ:23 IS:26 IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27
    MT:31 MU:30 NI:28 NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19
    SK:24 SM:27 SO:23 ST:25 SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30
    """.split()
)
_SSN = re.compile(r"[0-8](?<![\w.+-].)[0-9]{2}(?<!000|666)([- ])(?!00)[0-9]{2}\1(?!0000)[0-9]{4}(?![\w-])(?![.,][0-9])")
_BARE_SSN = re.compile(r"[0-8](?<![\w.+-].)[0-9]{2}(?<!000|666)(?!00)[0-9]{2}(?!0000)[0-9]{4}(?![\w-])(?![.,][0-9])")
_SSN_WORDS = re.compile(r"\b(?:ssn|social[ -]security|soc\.? sec)", re.IGNORECASE)
_SSN_REACH = 40
_NO_CARD = re.compile(
    r"\b(?:order|invoice|tracking|parcel|shipment|isbn|ean|gtin|upc|serial|imei|ticket|article|sku|barcode|doi)"
    r"\b[^.\n]{0,24}$",
    re.IGNORECASE,
)


def find_cards(text: str) -> Iterator[Span]:
    """Yield payment card numbers: an issuer's prefix and length, the Luhn digit right, not called something else."""
    for match in _CARD.finditer(text):
        groups = re.split(_GAP, match[0])
        digits = "".join(groups)
        shaped = len(groups) == 1 or tuple(map(len, groups)) in _CARD_GROUPS
        if shaped and _ISSUERS.fullmatch(digits) and has_luhn_digit(digits) and not _called_otherwise(text, match):
            yield match.span()


def _called_otherwise(text: str, match: re.Match[str]) -> bool:
    return _NO_CARD.search(text[max(0, match.start() - 40) : match.start()]) is not None


def has_luhn_digit(digits: str) -> bool:
    """Return whether the last digit is the Luhn check digit of the others (ISO/IEC 7812-1, annex B)."""
    odd, even = digits[-1::-2], digits[-2::-2]
    doubled = sum(2 * int(digit) - 9 * (digit > "4") for digit in even)
    return (sum(map(int, odd)) + doubled) % 10 == 0


def find_ibans(text: str) -> Iterator[Span]:
    """Yield international bank account numbers: a country's length and the check digits right (ISO 13616)."""
    for match in _IBAN.finditer(text):
        start = match.start() - 2
        run = text[start : match.end()]
        wanted = _IBAN_LENGTHS.get(run[:2].upper())
        end = _end_after(run, int(wanted)) if wanted else None
        if end is not None and has_iban_digits(re.sub(r"[ \u00a0-]", "", run[:end])):
            yield start, start + end


def _end_after(run: str, wanted: int) -> int | None:
    """Return the offset behind the `wanted`-th letter or digit, if a word ends there."""
    seen = 0
    for at, char in enumerate(run):
        seen += char.isalnum()
        if seen == wanted:
            return None if run[at + 1 : at + 2].isalnum() else at + 1
    return None


def has_iban_digits(iban: str) -> bool:
    """Return whether the number, its first four characters moved behind, is 1 modulo 97, letters being 10 to 35."""
    moved = (iban[4:] + iban[:4]).upper()
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def find_social_security_numbers(text: str) -> Iterator[Span]:
    """Yield US social security numbers; one written without hyphens only where words before it call it that."""
    yield from (match.span() for match in _SSN.finditer(text) if match[1] == "-" or _called_ssn(text, match.start()))
    yield from (match.span() for match in _BARE_SSN.finditer(text) if _called_ssn(text, match.start()))


def _called_ssn(text: str, start: int) -> bool:
    return _SSN_WORDS.search(text[max(0, start - _SSN_REACH) : start]) is not None
