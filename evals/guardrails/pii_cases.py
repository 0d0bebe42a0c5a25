"""Sentences with personal data in many forms, and sentences whose numbers only look like it; same seed, same cases."""

import random
import string
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from ragstead.guardrails.pii import PiiKind

Make = Callable[[random.Random], str]


@dataclass(frozen=True, slots=True)
class PiiCase:
    """A text and what it holds: (start, end, kind) of each span."""

    text: str
    spans: frozenset[tuple[int, int, PiiKind]]


def digits(rng: random.Random, n: int) -> str:
    """Return n random digits, the first not 0."""
    return str(rng.randint(1, 9)) + "".join(rng.choices(string.digits, k=n - 1))


def with_luhn_digit(body: str) -> str:
    """Return the digits with the check digit behind them, found by trying."""
    for last in string.digits:
        total = 0
        for at, char in enumerate(reversed(body + last)):
            number = int(char) * (1 + at % 2)
            total += number // 10 + number % 10
        if total % 10 == 0:
            return body + last
    raise AssertionError("one of ten digits is the right one")


def card(rng: random.Random) -> str:
    """Return a card of one of five issuers, plain or grouped."""
    prefix, length = rng.choice((("4", 16), (f"5{rng.randint(1, 5)}", 16), ("37", 15), ("6011", 16), ("36", 14)))
    number = with_luhn_digit(prefix + "".join(rng.choices(string.digits, k=length - 1 - len(prefix))))
    if length == 16 and rng.random() < 0.6:
        return rng.choice(" -").join(number[i : i + 4] for i in range(0, 16, 4))
    return f"{number[:4]} {number[4:10]} {number[10:]}" if length == 15 and rng.random() < 0.5 else number


def iban(rng: random.Random) -> str:
    """Return an account of one of five countries with its check digits, plain or in fours."""
    country, bank, length = rng.choice(
        (("DE", "", 22), ("FR", "", 27), ("NL", "ABNA", 18), ("GB", "NWBK", 22), ("CH", "", 21))
    )
    body = bank + "".join(rng.choices(string.digits, k=length - 4 - len(bank)))
    number = "".join(str(int(char, 36)) for char in f"{body}{country}00")
    whole = f"{country}{98 - int(number) % 97:02}{body}"
    return " ".join(whole[i : i + 4] for i in range(0, length, 4)) if rng.random() < 0.5 else whole


def phone(rng: random.Random) -> str:
    """Return a phone number as people of several countries write one."""
    d = partial(digits, rng)
    return rng.choice(
        (
            f"({d(3)}) {d(3)}-{d(4)}",
            f"{d(3)}-{d(3)}-{d(4)}",
            f"+1 {d(3)} {d(3)} {d(4)}",
            f"+49 {d(3)} {d(7)}",
            f"+44 20 {d(4)} {d(4)}",
            f"+33 {d(1)} {d(2)} {d(2)} {d(2)} {d(2)}",
            f"0{d(3)} {d(7)}",
            f"0{d(2)}/{d(6)}",
            f"0{d(1)} {d(2)} {d(2)} {d(2)} {d(2)}",
            f"+41{d(9)}",
            f"{d(3)}.{d(3)}.{d(4)} ext. {d(3)}",
        )
    )


def email(rng: random.Random) -> str:
    """Return an address under a name for examples."""
    name = rng.choice(("ann.lee", "j_smith", "office", "k.müller", "x+y", "o'neil", "bob-42"))
    return f"{name}@{rng.choice(('example.com', 'mail.example.org', 'a-b.example.net', 'example.co.uk'))}"


def ip_address(rng: random.Random) -> str:
    """Return an address of either version."""
    if rng.random() < 0.5:
        return ".".join(str(rng.randint(1, 254)) for _ in range(4))
    groups = [f"{rng.randint(1, 65535):x}" for _ in range(8)]
    return ":".join(groups) if rng.random() < 0.5 else ":".join(groups[:3]) + "::" + groups[3]


def domain(rng: random.Random) -> str:
    """Return a domain, with and without a scheme and a path."""
    return rng.choice(
        (
            "www.example.com",
            "https://example.org/a?b=c",
            "shop.example.de",
            "docs.example.net/start",
            "http://example.org",
        )
    )


def ssn(rng: random.Random) -> str:
    """Return a US social security number of the ranges in use."""
    return f"{rng.randint(100, 665)}-{rng.randint(10, 99)}-{rng.randint(1000, 9999)}"


MAKERS: dict[PiiKind, tuple[Make, tuple[str, ...]]] = {
    PiiKind.CARD: (card, ("Charge {}, please.", "Card number: {}", "the card {} expires in May", "paid with {}.")),
    PiiKind.IBAN: (iban, ("Transfer it to {} by Friday.", "IBAN {}", "account ({}) is closed", "from {}, which")),
    PiiKind.PHONE: (phone, ("Call {} after six.", "Phone: {}", "Her number is {}, I think.", "{} (office)", "Tel. {}")),
    PiiKind.EMAIL: (email, ("Write to {}.", "<{}>", "mailto:{}", "I asked {}, who knows", "({})")),
    PiiKind.IP_ADDRESS: (ip_address, ("Blocked {} again.", "from {} to", "The host ({}) is down", "ping {}")),
    PiiKind.DOMAIN: (domain, ("See {} for more.", "({})", "at {}.", "{} is down")),
    PiiKind.US_SSN: (ssn, ("His SSN is {}.", "SSN: {}", "number {} on file", "({})")),
}
NEGATIVES: tuple[tuple[str, Make], ...] = (
    ("Upgrade to version {} now.", lambda rng: ".".join(str(rng.randint(0, 20)) for _ in range(4))),
    ("v{} fixes it", lambda rng: f"{rng.randint(1, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 30)}"),
    ("It opened on {}.", lambda rng: f"{rng.randint(1900, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"),
    (
        "Since {}, it has grown.",
        lambda rng: f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}.{rng.randint(1900, 2030)}",
    ),
    ("It logged {} twice.", lambda rng: f"2024-0{rng.randint(1, 9)}-11 0{rng.randint(1, 9)}:34:{rng.randint(10, 59)}"),
    ("It costs ${}.", lambda rng: f"{rng.randint(1, 9)},{digits(rng, 3)},{digits(rng, 3)}.{digits(rng, 2)}"),
    ("Revenue was {} euros.", lambda rng: f"{digits(rng, 2)} {digits(rng, 3)} {digits(rng, 3)}"),
    ("ISBN {}", lambda rng: f"978-{digits(rng, 1)}-{digits(rng, 2)}-{digits(rng, 6)}-{digits(rng, 1)}"),
    ("ISBN {} is out of print", lambda rng: digits(rng, 10)),
    ("Order {} was shipped.", lambda rng: f"{digits(rng, 3)}-{digits(rng, 7)}-{digits(rng, 7)}"),
    ("order no. {} is late", lambda rng: digits(rng, 10)),
    ("tracking number {}", lambda rng: digits(rng, 16)),
    ("The device {} is known.", lambda rng: ":".join(f"{rng.randint(16, 255):02x}" for _ in range(6))),
    ("It meets at {}.", lambda rng: f"{rng.randint(10, 23)}:{rng.randint(10, 59)}"),
    ("pages {}", lambda rng: f"{digits(rng, 4)}-{digits(rng, 4)}"),
    ("a total of {} people", lambda rng: f"{digits(rng, 3)},{digits(rng, 3)},{digits(rng, 3)}"),
    ("pi is {}", lambda rng: f"3.{digits(rng, 12)}"),
    ("between {} and later", lambda rng: f"{rng.randint(1900, 1950)}-{rng.randint(1950, 2000)}"),
    ("at {} degrees", lambda rng: f"{digits(rng, 2)}.{digits(rng, 7)}, -{digits(rng, 2)}.{digits(rng, 7)}"),
    ("see {} there", lambda rng: rng.choice(("README.md", "main.py", "lib.rs", "Node.js", "e.g. this", "end.It"))),
    ("@{} wrote it", lambda rng: rng.choice(("anna", "bob_42", "pytest.fixture", "property"))),
    ("call f.{}", lambda rng: rng.choice(("read()", "to_string(7)", "at(1234567)", "is_ok()"))),
    ("commit {}", lambda rng: f"{rng.getrandbits(160):040x}"),
    ("id {}", lambda rng: f"{rng.getrandbits(32):08x}-{rng.getrandbits(16):04x}-4{rng.getrandbits(12):03x}"),
    ("std::{}", lambda rng: rng.choice(("vector<int>", "string", "map", "move"))),
    ("DOI 10.{}", lambda rng: f"{digits(rng, 4)}/{digits(rng, 3)}.{digits(rng, 5)}"),
    ("in room {} today", lambda rng: digits(rng, 4)),
)


def pii_cases(seed: int, each: int) -> Iterator[PiiCase]:
    """Yield `each` sentences of every kind, and `each` half of every hard negative."""
    rng = random.Random(seed)  # noqa: S311  (cases, no secret)
    for kind, (make, frames) in MAKERS.items():
        for _ in range(each):
            before, behind = rng.choice(frames).split("{}")
            made = make(rng)
            start = len(before)
            yield PiiCase(before + made + behind, frozenset({(start, start + len(made), kind)}))
    for frame, make in NEGATIVES:
        for _ in range(max(1, each // 2)):
            yield PiiCase(frame.format(make(rng)), frozenset())
