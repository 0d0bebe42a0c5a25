"""Sentences that their passage supports, said in other ways, and the same sentences with one thing in them changed.

From the passages of a BEIR folder: every supported sentence (verbatim, shortened, its parts in another order, its
numbers written differently, a question turned into its answer) has a twin in which a number, a name or a negation is
another, the number of words kept. Same seed, same sentences.
"""

import json
import random
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plant:
    """A sentence and the passage it is said of.

    Attributes:
        sentence: What is said.
        passage: The evidence.
        supported: Whether the passage says so.
        change: What was changed: `number`, `name`, `negation`, `swap` of two names, `foreign` words; empty where supported.
        said: How it is said: `verbatim`, `shortened`, `reordered`, `rewritten`, `answer`.
        group: The passage's article.
    """

    sentence: str
    passage: str
    supported: bool
    change: str
    said: str
    group: str


CHANGES = ("number", "name", "negation", "swap", "foreign")
"""What may be changed."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z\"(])")
_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?![\w])")
_WRITTEN = "two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty".split()
_MONTHS = "January February March April May June July August September October November December".split()
_NAME = re.compile(r"\b[A-Z][\w'’-]+(?: (?:of |de |the )?[A-Z][\w'’-]+)*")
_AUXILIARY = re.compile(
    r"\b(is|are|was|were|has|have|had|can|could|will|would|does|did|may|must|should)\b(?! (?:not|no)\b)"
)
_NEGATIVE = re.compile(r"\b(is|are|was|were|has|have|had|can|could|will|would|does|did|do|may|must|should) not\b")
_OPTIONAL = re.compile(
    r" (?:also|very|often|then|later|still|usually|generally|however|largely|mainly|mostly|actually|both|quite|now|only|first"
    r"|well|the|a|an)\b"
)
_ASIDE = re.compile(r"(?:, [^,.;()]{8,70},(?=\s)| \([^()]{3,80}\))")


def sentences_of(passage: str) -> list[str]:
    """Return the sentences of 6 to 45 words."""
    return [one for one in _SENTENCE.split(passage) if 6 <= len(one.split()) <= 45]


def another_number(text: str, rng: random.Random) -> str:
    """Return a number of the same shape: as many digits, the same commas and point, a year of the same century."""
    if text.lower() in _WRITTEN:
        other = rng.choice([word for word in _WRITTEN if word != text.lower()])
        return other.capitalize() if text[0].isupper() else other
    while True:
        if re.fullmatch(r"1[0-9]{3}|20[0-2][0-9]", text):
            made = text[:2] + f"{rng.randint(0, 99):02}"
        else:
            made = "".join(
                rng.choice("123456789" if i == 0 else "0123456789") if c.isdigit() else c for i, c in enumerate(text)
            )
        if made != text:
            return made


def change_number(sentence: str, passage: str, rng: random.Random) -> str | None:
    """Return the sentence with another number; every second time one that the passage has elsewhere, if it has."""
    spans = [m.span() for m in _NUMBER.finditer(sentence)]
    spans += [m.span() for m in re.finditer(rf"\b(?:{'|'.join(_WRITTEN)})\b", sentence)]
    if not spans:
        return None
    start, end = rng.choice(spans)
    old = sentence[start:end]
    near = sorted({n for n in _NUMBER.findall(passage) if n != old and len(n) == len(old) and n not in sentence})
    new = rng.choice(near) if near and rng.random() < 0.5 else another_number(old, rng)
    return sentence[:start] + new + sentence[end:]


def names_in(text: str) -> list[tuple[int, int]]:
    """Return where names stand: runs of capitalised words that do not begin a sentence."""
    return [
        m.span() for m in _NAME.finditer(text) if m.start() > 0 and text[m.start() - 2 : m.start()] not in (". ", "? ")
    ]


def change_name(sentence: str, passage: str, rng: random.Random, others: Sequence[str]) -> str | None:
    """Return the sentence with another name of as many words, two times of three from the same passage."""
    spans = names_in(sentence)
    if not spans:
        return None
    start, end = rng.choice(spans)
    old = sentence[start:end]
    near = sorted({passage[a:b] for a, b in names_in(passage)})
    near = [n for n in near if n not in sentence and old not in n and len(n.split()) == len(old.split())]
    if old in _MONTHS:
        near = [month for month in _MONTHS if month not in sentence]
    far = [
        n
        for n in rng.sample(list(others), min(400, len(others)))
        if len(n.split()) == len(old.split()) and n not in passage
    ]
    choices = near if near and (rng.random() < 0.67 or not far) else far
    return sentence[:start] + rng.choice(choices) + sentence[end:] if choices else None


def swap_names(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with two of its names in each other's place."""
    spans = [(a, b) for a, b in names_in(sentence) if sentence[a:b].lower() not in _MONTHS]
    if len(spans) < 2:
        return None
    (a, b), (c, d) = sorted(rng.sample(spans, 2))
    if (
        sentence[a:b] in sentence[c:d]
        or sentence[c:d] in sentence[a:b]
        or re.fullmatch(r",? (?:and|or) |, ", sentence[b:c])
    ):
        return None
    return sentence[:a] + sentence[c:d] + sentence[b:c] + sentence[a:b] + sentence[d:]


def change_negation(sentence: str, _: str, rng: random.Random) -> str | None:
    """Return the sentence with a negation more, or without the one it has; another small word makes up for it."""
    negative = _NEGATIVE.search(sentence)
    if negative:
        filler = rng.choice(("also", "indeed", "often", "then"))
        return f"{sentence[: negative.end(1)]} {filler}{sentence[negative.end() :]}"
    auxiliaries = list(_AUXILIARY.finditer(sentence))
    if not auxiliaries:
        return None
    at = rng.choice(auxiliaries)
    word = rng.choice(("not", "not", "never"))
    head, tail = sentence[: at.end()], sentence[at.end() :]
    for part in (tail, head):
        optional = _OPTIONAL.search(part)
        if optional:
            shorter = part[: optional.start()] + part[optional.end() :]
            return f"{head} {word}{shorter}" if part is tail else f"{shorter} {word}{tail}"
    return None


def shortened(sentence: str, rng: random.Random) -> str | None:
    """Return the sentence without an aside, or without what follows or precedes a comma."""
    asides = list(_ASIDE.finditer(sentence))
    if asides:
        aside = rng.choice(asides)
        return sentence[: aside.start()] + sentence[aside.end() :]
    parts = sentence.split(", ")
    if len(parts) < 2:
        return None
    kept = parts[0] if rng.random() < 0.5 else ", ".join(parts[1:])
    kept = kept[:1].upper() + kept[1:]
    return kept.rstrip(".") + "." if len(kept.split()) >= 5 else None


def reordered(sentence: str, _: random.Random) -> str | None:
    """Return the sentence with its opening phrase behind it."""
    head, comma, tail = sentence.partition(", ")
    if (
        not comma
        or not 2 <= len(head.split()) <= 9
        or len(tail.split()) < 5
        or names_in(sentence)[:1] == [(0, len(head))]
    ):
        return None
    return f"{tail[:1].upper()}{tail[1:].rstrip('.')}, {head[:1].lower()}{head[1:]}."


_REWRITES = (
    (r"\bis not\b", "isn't"), (r"\bwas not\b", "wasn't"), (r"\bdid not\b", "didn't"), (r"\bcannot\b", "can not"),
    (r"\btwo\b", "2"), (r"\bthree\b", "3"), (r"\bfour\b", "4"), (r"\bfive\b", "5"), (r"\bsix\b", "6"), (r"\bten\b", "10"),
    (r"(?<=\d)%", " percent"), (r"(\d),(\d{3})", r"\1\2"), (r" percent\b", "%"), (r"\bAlthough\b", "Though"), (r"\bHowever, ", ""),
    (r"\bbecause\b", "since"), (r"\bsuch as\b", "like"), (r"\bin order to\b", "to"), (r"\bas well as\b", "and"), (r"\ba number of\b", "several"),
    (r"\bbegan\b", "started"), (r"\blocated\b", "situated"), (r"\bknown as\b", "called"), (r"\bcreated\b", "made"), (r"\blarge\b", "big"),
    (r"\bthis\b", "that"), (r"\bmany\b", "numerous"), (r"\bpurchased\b", "bought"), (r"\bhelped\b", "aided"), (r"\bhome to\b", "the seat of"),
)  # fmt: skip


def rewritten(sentence: str, rng: random.Random) -> str | None:
    """Return the sentence with a few words and numbers written otherwise."""
    made = sentence
    for pattern, replacement in rng.sample(_REWRITES, len(_REWRITES)):
        made = re.sub(pattern, replacement, made)
    return made if made != sentence else None


SAID: dict[str, Callable[[str, random.Random], str | None]] = {
    "verbatim": lambda sentence, _: sentence, "shortened": shortened, "reordered": reordered, "rewritten": rewritten
}  # fmt: skip


def plants(data: Path, seed: int, most: int) -> Iterator[Plant]:
    """Yield up to `most` supported sentences, each followed by its changed twins.

    Args:
        data: A BEIR folder, its `_id` beginning with the article's name.
        seed: Of the draw.
        most: How many passages are drawn.
    """
    rng = random.Random(seed)  # noqa: S311  (a sample, no secret)
    with (data / "corpus.jsonl").open(encoding="utf-8") as lines:
        corpus = [json.loads(line) for line in lines]
    names = sorted({row["text"][a:b] for row in corpus for a, b in names_in(row["text"])})
    articles: dict[str, list[str]] = defaultdict(list)
    for row in corpus:
        articles[row["title"]].append(row["text"])
    for row in rng.sample(corpus, min(most, len(corpus))):
        passage, group = row["text"], row["title"]
        for source in rng.sample(sentences_of(passage), min(2, len(sentences_of(passage)))):
            for said, say in SAID.items():
                sentence = say(source, rng)
                if sentence is None or (said != "verbatim" and rng.random() < 0.3):
                    continue
                yield Plant(sentence, passage, True, "", said, group)
                yield from _twins(sentence, passage, group, said, rng, names)
            yield from _strangers(source, passage, rng.choice(articles[group]), group)


def _twins(
    sentence: str, passage: str, group: str, said: str, rng: random.Random, names: Sequence[str]
) -> Iterator[Plant]:
    made = {
        "number": change_number(sentence, passage, rng),
        "name": change_name(sentence, passage, rng, names),
        "negation": change_negation(sentence, passage, rng),
        "swap": swap_names(sentence, passage, rng),
    }
    for change, changed in made.items():
        if changed is not None and changed != sentence and changed not in passage:
            yield Plant(changed, passage, False, change, said, group)


def _strangers(sentence: str, passage: str, other: str, group: str) -> Iterator[Plant]:
    """Yield a sentence of another passage of the article, and the sentence with the end of that one."""
    foreign = next((one for one in sentences_of(other) if one not in passage), None)
    if foreign is None:
        return
    yield Plant(foreign, passage, False, "foreign", "verbatim", group)
    words, tail = sentence.rstrip(".").split(), foreign.split()
    plain = [word for word in tail[1:] if word.islower()]
    if len(plain) > 4:
        yield Plant(
            " ".join(plain[: 3 + len(plain) // 2]).capitalize() + ".", passage, False, "foreign", "shortened", group
        )
    half = len(words) // 2
    yield Plant(" ".join(words[:half] + tail[-(len(words) - half) :]), passage, False, "foreign", "shortened", group)


_WH = re.compile(
    r"^(?:In |At |On |By |For |To |From )?(?:what|which|who|whom|whose|when|where|how (?:many|much|long|old))\b", re.I
)


def answers(data: Path, seed: int, most: int) -> Iterator[Plant]:
    """Yield questions turned into statements by their gold answer, and by another name or number of the passage."""
    rng = random.Random(seed)  # noqa: S311  (a sample, no secret)
    texts: dict[str, dict[str, str]] = {}
    with (data / "corpus.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            texts[row["_id"]] = row
    gold: dict[str, str] = dict(
        line.split("\t")[:2] for line in (data / "qrels/dev.tsv").read_text(encoding="utf-8").splitlines()[1:]
    )
    with (data / "queries.jsonl").open(encoding="utf-8") as lines:
        asked = [json.loads(line) for line in lines]
    for query in rng.sample(asked, min(most, len(asked))):
        row = texts[gold[query["_id"]]]
        passage, answer = row["text"], str(query["answers"][0])
        frame = _WH.sub("{}", query["text"].rstrip(" ?"), count=1)
        if frame.count("{}") != 1 or answer not in passage or len(answer.split()) > 6:
            continue
        yield Plant(_stated(frame, answer), passage, True, "", "answer", row["title"])
        spans = names_in(passage) if answer[0].isupper() else [m.span() for m in _NUMBER.finditer(passage)]
        others = sorted({passage[a:b] for a, b in spans} - {answer})
        others = [o for o in others if o not in query["text"] and o not in answer and answer not in o]
        if others and (answer[0].isupper() or answer[0].isdigit()):
            change = "name" if answer[0].isupper() else "number"
            yield Plant(_stated(frame, rng.choice(others)), passage, False, change, "answer", row["title"])


def _stated(frame: str, answer: str) -> str:
    made = frame.replace("{}", answer).replace(" did ", " ").replace(" does ", " ") + "."
    return made[:1].upper() + made[1:]
