"""Phone numbers: by their shape where that is enough, else by the words beside them.

A run of digit groups is read once, then judged: an international prefix, brackets round an area code, or groups that
only phone numbers have are enough; a plainer run (`451 5986`) needs a word like `call` before it or `fax` behind.
Dates, sums, ISBNs, versions, measures and numbers that a word calls an order or an account are none.

Not known here: which numbers are in use; digits other than 0-9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_GAPS = r" .\-/\u00a0\u2009\u202f\u2010\u2011\u2013"
_RUN = re.compile(
    rf"[(+0-9](?<![\w.+#$€£@/=-].)(?<!\w\(.)(?<![0-9],.)[(+]{{0,2}}[0-9]{{0,15}}\)?(?:[{_GAPS}]?[{_GAPS}(]?\(?[0-9]{{1,12}}\)?){{0,7}}"
    r"(?: ?(?:x|ext\.?|#) ?[0-9]{1,6}\b)?"
)
_EXTENSION = re.compile(r" ?(?:x|ext\.?|#) ?[0-9]{1,6}$")
_SPECIFIC = re.compile(
    r"(?:\([0-9]{2,5}\) ?[0-9]{2,4}[ .-]?[0-9]{2,4}(?:[ .-][0-9]{2,4})*"  # (37) 788-063, (602)272-9781
    r"|[0-9]{3}([.-])[0-9]{3}\1[0-9]{4}|1([ .-])[0-9]{3}\2[0-9]{3}\2[0-9]{4}|[2-9][0-9]{2} [2-9][0-9]{2} [0-9]{4}"
    r"|0[1-9]([ .-])[0-9]{2}(?:\3[0-9]{2}){3}"  # 03.93.92.16.85
    r"|0[1-9][0-9]{1,4}(?:[ /-][0-9]{2,4}){2,4}|0[1-9][0-9]{1,3} ?/ ?[0-9]{4,9}(?:-[0-9]{1,4})?"  # 0490 75 40 81
    r"|0[1-9][0-9]{2,3}[ -][0-9]{6,8})"  # 0341 8387176
)
_CALLED = re.compile(
    r"\b(?:(?:tele)?phones?|tel|call(?:ed|ing|s)?|mobile?|cell(?:phone)?|fax|desk|office|landline|hotline|whats?app"
    r"|signal|sms|text(?:ed)? (?:me|us|him|her|them)|dial(?:ed|led)?|reach(?:ed)?|ring|voicemail|pager"
    r"|answering|contact|telefon(?:isch)?|handy|anrufen|rufnummer|durchwahl|téléphone|portable|appele[rz]|tel[eé]fono|móvil|celular"
    r"|llam\w+|cellulare)\b[^\n;]{0,24}$",
    re.IGNORECASE,
)
_CALLED_BEHIND = re.compile(r"\s?[-–(,]?\s?\(?(?:fax|office|mobile|home|cell|desk|work|phone|tel)\b", re.IGNORECASE)
_CALLED_OTHERWISE = re.compile(
    r"(?:\b(?:order|invoice|isbn(?:-1[03])?|issn|version|ver|release|build|account|acct|iban|card|id|no|nr|num|article|part|patent"
    r"|serial|ticket|tracking|case|ref(?:erence)?|pages?|pp|vol|lines?|chapter|section|zip|plz|box|doi|rfc|sku|ean|mac|model"
    r"|population|total|sum|revenue|year|years|since|between|from|in|est|usd|eur|gbp|chf|rs)\b|[#§$€£¥=])[.:]?\s?(?:number|no\.?|is|:|#)?\s?$",
    re.IGNORECASE,
)
_UNIT_BEHIND = re.compile(
    r"\s?(?:%|°|€|\$|£|(?:km|m|cm|mm|kg|g|mb|gb|tb|kb|ms|s|hours?|years?|people|inhabitants|dollars|euros?|usd|eur|million|billion"
    r"|pages|votes|copies|miles|acres|percent)\b)",
    re.IGNORECASE,
)
_YEAR = "(?:1[0-9]|20)[0-9]{2}"
_DATE = re.compile(
    rf"{_YEAR}[./-][0-9]{{1,2}}[./-][0-9]{{1,2}}(?:\D.*)?"
    rf"|[0-9]{{1,2}}[./-][0-9]{{1,2}}[./-](?:[0-9]{{2}}|{_YEAR})(?: [0-9]{{1,2}})?"
    rf"|{_YEAR} ?[-–/] ?{_YEAR}(?: .*)?|{_YEAR}[01][0-9][0-3][0-9](?:[0-9]{{4,6}})?"
)
_ISBN = re.compile(r"97[89][- ]?[0-9][- 0-9]{9,13}")
_REACH = 48


def find_phone_numbers(text: str) -> Iterator[Span]:
    """Yield phone numbers with their extensions."""
    for match in _RUN.finditer(text):
        number = _trimmed(match[0])
        start = match.start() + match[0].index(number)
        if _may_be_phone(number) and _is_phone(number, text, start, start + len(number)):
            yield start, start + len(number)


def _trimmed(run: str) -> str:
    """Return the run without a bracket that it does not close or open."""
    for opening, closing, side in (("(", ")", 0), (")", "(", -1)):
        if run.count(opening) > run.count(closing) and run[side] == opening:
            run = run[1:] if side == 0 else run[:-1]
    return run.strip(" .-/")


def _may_be_phone(number: str) -> bool:
    body = _EXTENSION.sub("", number)
    digits = sum(map(str.isdigit, body))
    return 7 <= digits <= 15 and not _DATE.fullmatch(body) and not _ISBN.fullmatch(body)


def _is_phone(number: str, text: str, start: int, end: int) -> bool:
    before, behind = text[max(0, start - _REACH) : start], text[end : end + 16]
    if behind[:1].isalnum() or _is_continued(behind) or _UNIT_BEHIND.match(behind):
        return False
    body = _EXTENSION.sub("", number)
    if body.startswith("+"):
        return True
    if body.startswith("00") and body[2:3] not in "0":
        return len(body) > 10 and not body.isdigit()
    if _CALLED.search(before) or _CALLED_BEHIND.match(behind):
        return _is_plain(body)
    if _CALLED_OTHERWISE.search(before):
        return False
    return _SPECIFIC.fullmatch(body) is not None or (body != number and len(body) > 9)


def _is_continued(behind: str) -> bool:
    """Return whether the digits go on behind the run: a longer number, a decimal, a time."""
    return re.match(r"[.,:/\u2010\u2011\u2013-]?[0-9]|:[0-9]|[-/][0-9]", behind) is not None


def _is_plain(body: str) -> bool:
    """Return whether a run that words call a phone number may be one: not a decimal number, not a range of years."""
    return not re.fullmatch(r"[0-9]+\.[0-9]+|[0-9]{1,3}(?:\.[0-9]{1,3}){3}", body)
