"""The texts that the injection detector is fitted and measured on, with what may not stand on both sides of a fold."""

import json
import random
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evals.fitting.instructions import harmless, takeover, task
from evals.fitting.messages import AFTER, ASKED, BEFORE, filled, message
from evals.fitting.spellings import ABBREVIATED, abbreviated, typed


@dataclass(frozen=True, slots=True)
class Row:
    """A text to judge.

    Attributes:
        text: The text.
        bad: Whether something is injected.
        kind: Which set it is of; the figures are given by it.
        fold: Number of the fold that it is tested in.
        barred: Folds whose fit may not see it.
        injected: Which of its words were injected; empty where nobody said.
    """

    text: str
    bad: bool
    kind: str
    fold: int
    barred: frozenset[int]
    injected: str = ""


def _fold(group: object, folds: int) -> int:
    return zlib.crc32(str(group).encode()) % folds


def _harmless(text: str, kind: str, source: str, folds: int) -> Row:
    """Return an ordinary text, in the fold of what it was made from."""
    fold = _fold(source, folds)
    return Row(text, False, kind, fold, frozenset({fold}))


def _objects(path: Path) -> list[dict[str, object]]:
    with path.open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _bipia(data: Path, folds: int) -> Iterator[Row]:
    for raw in _objects(data / "inj-bipia-rag/data.jsonl"):
        meta = raw["meta"]
        assert isinstance(meta, dict)
        context = _fold(str(raw["_id"]).rsplit("-", 1)[0], folds)
        kind = f"bipia {meta['task']}"
        if raw["label"] == "benign":
            yield Row(str(raw["text"]), False, f"{kind} clean", context, frozenset({context}))
        else:
            category = _fold(meta["attack_category"], folds)
            yield Row(str(raw["text"]), True, kind, category, frozenset({category, context}), str(meta["attack"]))


def words_of(text: str) -> frozenset[str]:
    """Return the first 200 words, each once, in lower case."""
    return frozenset(re.findall(r"\w+", text.lower())[:200])


def _by_template(rows: list[tuple[str, bool, str]], folds: int) -> Iterator[Row]:
    """Give texts that share half of their words the same fold."""
    leaders: list[tuple[frozenset[str], int]] = []
    for number, (text, bad, kind) in enumerate(rows):
        words = words_of(text)
        near = (fold for known, fold in leaders if 2 * len(words & known) >= len(words | known))
        fold = next(near, _fold(number, folds))
        leaders.append((words, fold))
        yield Row(text, bad, kind, fold, frozenset({fold}))


def _prompts(data: Path) -> Iterator[tuple[str, bool, str]]:
    for raw in _objects(data / "inj-deepset/data.jsonl"):
        bad = raw["label"] == "injection"
        yield str(raw["text"]), bad, "deepset" if bad else "deepset benign"
    for raw in _objects(data / "inj-jailbreak-wild/data.jsonl"):
        yield str(raw["text"]), True, "jailbreak"
    for raw in _objects(data / "inj-notinject/piguard_valid.jsonl"):
        bad = raw["label"] == "injection"
        yield str(raw["text"]), bad, "piguard" if bad else "notinject"


_DOCUMENTS = (
    ("squad-v1.1-dev", 700),
    ("scifact", 500),
    ("hotpotqa-100", 400),
    ("xquad/de", 240),
    ("xquad/es", 60),
    ("cranfield", 150),
)
_MESSAGES = 2000
_APART = 50
"""Of so many made-up prompts one has its letters set apart."""
_SHOUTED = 8
"""Of so many made-up prompts one is in capitals."""
_TYPED = 2000
_CAPITALS = 200
_QUESTIONS = (
    ("squad-v1.1-dev", 900),
    ("hotpotqa-100", 100),
    ("scifact", 250),
    ("chunking-eval", 200),
    ("cranfield", 100),
)


def _passages(data: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    for name, n in _DOCUMENTS:
        found = [str(raw["text"]) for raw in _objects(data / name / "corpus.jsonl")]
        yield from ((text, f"text {name}") for text in rng.sample(found, min(n, len(found))) if text.strip())
    files = (*(data / "kb-fastapi-md").rglob("*.md"), *(data / "chunking-eval/docs").glob("*.md"))
    places = ((path, "text kb" if "kb-" in str(path) else "text chunking-eval") for path in sorted(files))
    for path, kind in places:
        chunks = _chunks(path.read_text(encoding="utf-8"))
        yield from ((text, kind) for text in rng.sample(chunks, min(60, len(chunks))))
    for path in sorted((Path(__file__).parents[2] / "samples").rglob("*.md")):
        yield from ((text, "text handbook") for text in _chunks(path.read_text(encoding="utf-8")))


def _chunks(text: str) -> list[str]:
    found = [""]
    for block in re.split(r"\n\s*\n", text):
        if len(found[-1]) + len(block) > 1000:
            found.append("")
        found[-1] += block[:1500] + "\n\n"
    return [chunk.strip() for chunk in found if len(chunk) > 80]


def _questions(data: Path, rng: random.Random) -> Iterator[tuple[str, str]]:
    for name, n in _QUESTIONS:
        found = [str(raw["text"]) for raw in _objects(data / name / "queries.jsonl")]
        yield from ((text, f"question {name}") for text in rng.sample(found, min(n, len(found))))


def _messages(questions: list[str], rng: random.Random, folds: int) -> Iterator[Row]:
    """Put phrases round questions; a fold's fit sees neither the questions nor the phrases that it is tested on."""
    for number in range(_MESSAGES):
        first, last = rng.choice(BEFORE), rng.choice(AFTER)
        pair = ((first, last), (first, ""), ("", last), ("", ""))[number % 4]
        pattern = rng.choice(ASKED if number % 4 == 3 or number % 8 < 4 else questions)
        question = filled(pattern, rng) if pattern in ASKED else pattern
        own = pair[0] or pair[1] or pattern
        barred = frozenset(_fold(one, folds) for one in (*pair, pattern) if one)
        yield Row(message(question, rng, *pair), False, "question in a message", _fold(own, folds), barred)


def _spelt(questions: list[str], texts: list[str], rng: random.Random, folds: int) -> Iterator[Row]:
    """Give questions as people type them, and documents in capitals."""
    for number in range(_TYPED):
        source = rng.choice(questions if number % 2 else ABBREVIATED)
        text = typed(source, rng) if number % 2 else abbreviated(source, rng)
        yield _harmless(text, "question as typed", source, folds)
    for text in rng.sample(texts, _CAPITALS):
        yield _harmless(text.upper(), "text in capitals", text, folds)


def _inserted(text: str, words: str, rng: random.Random) -> str:
    """Put words at the start, in the middle or at the end of a text, on a line of their own or not."""
    glue = rng.choice(("\n", "\n\n", " "))
    breaks = [m.end() for m in re.finditer(r"(?<=[.!?])\s+|\n", text)] or [len(text)]
    at = rng.choice((0, rng.choice(breaks), len(text)))
    return f"{text[:at]}{glue}{words}{glue}{text[at:]}".strip()


def _apart(words: str) -> str:
    """Return the letters with a space between any two, as filters for words are walked round."""
    return " ".join(words.replace(" ", ""))


def rows(data: Path, folds: int, seed: int = 5) -> list[Row]:
    """Return every text; the same each time."""
    rng = random.Random(seed)  # noqa: S311  (a sample, no secret)
    found = [*_bipia(data, folds), *_by_template(list(_prompts(data)), folds)]
    passages, asked = list(_passages(data, rng)), list(_questions(data, rng))
    found += [_harmless(text, kind, text, folds) for text, kind in (*passages, *asked)]
    found += _made(found, rng, folds)
    questions, texts = [text for text, _ in asked], [text for text, _ in passages]
    spelt = _spelt(questions, texts, random.Random(seed), folds)  # noqa: S311
    return [*found, *_messages(questions, random.Random(seed), folds), *spelt]  # noqa: S311


def _made(found: list[Row], rng: random.Random, folds: int) -> Iterator[Row]:
    """Yield made-up rows: they are for the fit alone and never measured."""
    hosts = [row for row in found if row.kind.startswith("text") or row.kind.endswith("clean")]
    lines = [part for row in hosts if row.kind.startswith("text") for part in re.split(r"(?<=[.!?])\s+", row.text)[1:3]]
    tables = [row for row in hosts if row.kind == "bipia table clean"]
    mails = [row for row in hosts if row.kind == "bipia email clean"]
    for number in range(2400):
        host = rng.choice((hosts, tables, mails)[number % 3])
        made = task(rng) if number % 5 else takeover(rng)
        yield Row(_inserted(host.text, made, rng), True, "made", -1, host.barred, made)
        other = rng.choice((hosts, tables, mails)[number % 3])
        line = rng.choice(lines)[:300]
        yield Row(_inserted(other.text, line, rng), False, "made clean", -1, other.barred | {_fold(line, folds)})
    for number in range(1500):
        words = takeover(rng)
        if number % _SHOUTED == 1:
            words = words.upper()
        yield Row(_apart(words) if number % _APART == 0 else words, True, "made prompt", -1, frozenset())
        yield Row(harmless(rng), False, "made harmless", -1, frozenset())
