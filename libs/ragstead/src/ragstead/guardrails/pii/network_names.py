"""Names of the network: e-mail addresses, domains with or without a URL round them, IP addresses.

Linear in the text: an address is read outwards from its `@`, the rest is bounded.
Not known here: domains under a country's code that are also words (`.it`, `.is`), unless a scheme, `www.` or a
further label says that they are domains; internationalised top-level domains.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

Span = tuple[int, int]

_LOCAL = re.compile(r"[\w!#$%&'*+/=?^`{|}~.-]{1,64}")
_HOST = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}[^\W\d_]{2,24}(?![\w-])")
_MAIL_EDGES = "'`*~.|=/{}?&"
_URL = re.compile(r"\b(?:https?|ftp)://[^\s<>\"'`{}|\\^\[\]]{3,2000}", re.IGNORECASE)
_JOINED = re.compile(r"[A-Za-z0-9]\.[a-z]{2}")
_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}")
_BARE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.){1,5}[a-z]{2,12}")
_PATH = re.compile(r"(?::[0-9]{1,5})?(?:/[^\s<>\"'`{}|\\^\[\]]{0,2000})?")
_GENERIC = frozenset(
    """
    com org net edu gov mil int info biz name pro aero coop museum jobs mobi travel cat tel asia xyz online site tech
    store shop app dev cloud blog wiki news page world live email agency company systems solutions digital media
    software design today global network services space website academy health bank club
    """.split()
)
_COUNTRIES = frozenset(
    """
    ac ad ae af ag ai al ao ar at au aw az ba bb bd be bf bg bh bi bj bm bn bo br bs bt bw by bz ca cd cf cg ch ci ck
    cl cm cn co cr cu cv cy cz de dj dk dm do dz ec ee eg er es et eu fi fj fk fm fo fr ga gd ge gf gg gh gi gl gm gn
    gp gq gr gt gu gw gy hk hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la
    lb lc li lk lr ls lt lu lv ly ma mc md me mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni
    nl no np nr nu nz om pa pe pf pg ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sk sl sm
    sn so sr ss st su sv sx sy sz tc td tf tg th tj tk tl tm tn to tr tt tv tw tz ua ug uk us uy uz va vc ve vg vi vn
    vu wf ws ye yt za zm zw
    """.split()
)
_ALSO_OTHERS = frozenset(
    """
    ac ad ai al am as at be bz cc cf cl cm co cs do dm es et fm gg go gz hr id im in is it java js km la lc ls lt ma
    md me mk ml mm mo ms my na ne no nu or pa pg ph pl pm pr ps py re rs rw sc sh si sl so st sv tf th tm to ts us va
    vi ws za name pro int app dev page cat live store design today bank club jobs travel space media
    """.split()
)
"""Words, file endings, abbreviations: alone behind a dot they do not make a domain."""
_VERSION_WORDS = re.compile(
    r"(?:\bv(?:er(?:sion)?)?\.?|\brelease|\bbuild|\bfirmware|\bsection|\bEC|§|==|>=|<=|~=)\s?$", re.IGNORECASE
)
_V4 = re.compile(r"[0-9](?<![\w.-].)[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?![\w-])(?!\.[0-9])")
_V6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f:]{0,39}:[0-9A-Fa-f:]{0,39}(?:[0-9]{1,3}(?:\.[0-9]{1,3}){3})?(?![\w:])")


def find_emails(text: str) -> Iterator[Span]:
    """Yield e-mail addresses (the common part of RFC 5322: no quoted or commented ones)."""
    for at in (match.start() for match in re.finditer("@", text)):
        host = _HOST.match(text, at + 1)
        before = text[max(0, at - 64) : at]
        local = _LOCAL.match(before[::-1])
        if host is None or local is None:
            continue
        name = local[0][::-1].lstrip(_MAIL_EDGES)
        if name and not name.endswith("."):
            yield at - len(name), host.end()


def find_domains(text: str) -> Iterator[Span]:
    """Yield URLs, and domains without a scheme together with the port and path behind them."""
    for match in _URL.finditer(text):
        host = re.split(r"[/?#]", match[0].split("://", 1)[1], maxsplit=1)[0]
        if "." in host and not re.fullmatch(r"[0-9.]+(?::[0-9]+)?", host):
            yield match.start(), match.start() + _without_closing(match[0])
    for start, end in _dotted_names(text):
        if _is_domain(text[start:end]):
            path = _PATH.match(text, end)
            yield start, start + _without_closing(text[start : path.end() if path else end])


def _dotted_names(text: str) -> Iterator[Span]:
    """Yield runs like `a.example.com` that stand alone: no part of an address, a path, a call or a longer word."""
    behind = 0
    for match in _JOINED.finditer(text):
        if match.start() < behind:
            continue
        before = _NAME.match(text[max(0, match.start() - 252) : match.start() + 1][::-1])
        start = match.start() + 1 - (before.end() if before else 1)
        name = _NAME.match(text, start)
        behind = name.end() if name else match.end()
        end = start + len(text[start:behind].rstrip(".-"))
        alone = not re.match(r"[\w@\\/$]", text[start - 1 : start]) and not re.match(r"[\w@(]", text[end : end + 1])
        if alone and _BARE.fullmatch(text, start, end):
            yield start, end


def _without_closing(url: str) -> int:
    """Return the length of a URL without punctuation of the sentence round it; a closing bracket it opened stays."""
    end = len(url)
    while end and (
        url[end - 1] in ".,;:!?*_" or (url[end - 1] == ")" and url.count("(", 0, end) < url.count(")", 0, end))
    ):
        end -= 1
    return end


def _is_domain(name: str) -> bool:
    *labels, top = name.split(".")
    if top not in _GENERIC and top not in _COUNTRIES:
        return False
    if labels[0].lower() == "www":
        return len(labels) > 1
    if not any(char.isalpha() for char in "".join(labels)) or any(len(label) < 2 for label in labels[-1:]):
        return False
    return top not in _ALSO_OTHERS or _is_second_level(labels)


def _is_second_level(labels: list[str]) -> bool:
    """Return whether the labels before an ambiguous top-level domain end in one that only domains have."""
    return len(labels) > 1 and labels[-1] in {"com", "org", "net", "gov", "edu", "co", "ac"}


def find_ip_addresses(text: str) -> Iterator[Span]:
    """Yield IPv4 and IPv6 addresses; four numbers that a word before them calls a version are none."""
    for match in _V4.finditer(text):
        if _is_address(match[0]) and not _VERSION_WORDS.search(text[max(0, match.start() - 12) : match.start()]):
            yield match.span()
    if text.count(":") < 2:
        return
    for match in _V6.finditer(text):
        found = match[0].rstrip(":") if not match[0].endswith("::") else match[0]
        if found.count(":") > 1 and any(char.isdigit() for char in found) and _is_address(found):
            yield match.start(), match.start() + len(found)


def _is_address(found: str) -> bool:
    try:
        ipaddress.ip_address(found)
    except ValueError:
        return False
    return True
