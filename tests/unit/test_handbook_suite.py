"""The handbook's question suite is sound: enough questions, every gold answer where it is said to be."""

from __future__ import annotations

import csv
import email
import email.policy
import importlib.util
import io
import re
import string
import sys
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pypdfium2
import pytest
import yaml
from bs4 import BeautifulSoup
from docx import Document
from openpyxl import load_workbook
from pptx import Presentation
from striprtf.striprtf import rtf_to_text

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = ROOT / "samples"
HANDBOOK = SAMPLES / "handbook"
FEW = 0.5  # a paraphrase shares at most half of its content words with the passage that answers it
STOPWORD_TEXT = """
a about after am an and any are as at be been before by can did do does for from get got has have how i
if in into is it its long many may me much must my no not of often on or our out so some soon than that
the then there they this to up us was we were what when where which who whose will with you your
"""
STOPWORDS = frozenset(STOPWORD_TEXT.split())


def load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_handbook", SAMPLES / "build_handbook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["build_handbook"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


BUILDER = load_builder()
SUITE: dict[str, Any] = yaml.safe_load((ROOT / "evals" / "handbook.yaml").read_text(encoding="utf-8"))
QUESTIONS: list[dict[str, Any]] = SUITE["questions"]
ANSWERABLE = [question for question in QUESTIONS if question["answerable"]]
UNANSWERABLE = [question for question in QUESTIONS if not question["answerable"]]
DOCUMENTS = sorted(path.name for path in HANDBOOK.iterdir())


def normalise(text: str) -> str:
    """Lower-case, punctuation to spaces, articles dropped: the way answers are compared with gold strings."""
    text = "".join(" " if char in string.punctuation else char for char in text.lower())
    return " ".join(word for word in text.split() if word not in {"a", "an", "the"})


@cache
def passages(name: str) -> tuple[str, ...]:
    """The sentences and table rows of a document, of its text source where the document is built."""
    if name in BUILDER.BUILDERS:
        text = (SAMPLES / "sources" / f"{Path(name).stem}.md").read_text(encoding="utf-8")
    else:
        text = (HANDBOOK / name).read_text(encoding="utf-8")
    if name.endswith(".html"):
        soup = BeautifulSoup(text, "lxml")
        lines = [" ".join(tag.stripped_strings) for tag in soup.find_all(["h1", "h2", "h3", "p", "li", "tr"])]
    elif name.endswith(".eml"):
        lines = re.split(r"\n\s*\n", email.message_from_bytes(text.encode(), policy=email.policy.default).get_content())
    elif name.endswith(".csv"):
        lines = [" ".join(row) for row in csv.reader(io.StringIO(text))]
    elif name.endswith((".rst", ".txt")):
        lines = re.split(r"\n\s*\n", text)
    else:
        lines = text.splitlines()
    sentences = (re.split(r"(?<=[.!?])\s+", " ".join(line.split())) for line in lines)
    return tuple(sentence for line in sentences for sentence in line if sentence.strip())


def holds(passage: str, answer: str) -> bool:
    return f" {normalise(answer)} " in f" {normalise(passage)} "


def content_words(text: str) -> set[str]:
    """The words that carry meaning, cut to five letters so that `booked` and `booking` agree."""
    return {word[:5] for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in STOPWORDS}


def overlap(question: dict[str, Any]) -> float:
    """The largest share of the question's content words found in one passage with a gold answer."""
    words = content_words(question["question"])
    found = [p for s in question["sources"] for p in passages(s) if any(holds(p, a) for a in question["answers"])]
    return max((len(words & content_words(p)) / len(words) for p in found), default=0.0)


def extracted(name: str) -> str:
    """The words of a built document, read back from its bytes by somebody else's library."""
    path = HANDBOOK / name
    if path.suffix == ".pdf":
        with pypdfium2.PdfDocument(path) as pdf:
            pages = [page.get_textpage().get_text_range() for page in pdf]
        return "\n".join(pages)
    if path.suffix == ".docx":
        document = Document(str(path))
        cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
        return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)
    if path.suffix == ".pptx":
        slides = Presentation(str(path)).slides
        return "\n".join(shape.text_frame.text for s in slides for shape in s.shapes if shape.has_text_frame)
    if path.suffix == ".xlsx":
        book = load_workbook(path)
        cells = [str(c) for sheet in book for row in sheet.iter_rows(values_only=True) for c in row if c]
        return "\n".join([book.properties.title, *book.sheetnames, *cells])
    if path.suffix == ".odt":
        with zipfile.ZipFile(path) as archive:
            return BeautifulSoup(archive.read("content.xml"), "xml").get_text("\n")
    return str(rtf_to_text(path.read_text(encoding="ascii")))


def test_suite_has_enough_questions_of_each_kind() -> None:
    near = [q for q in UNANSWERABLE if "near-miss" in q["tags"]]
    off = [q for q in UNANSWERABLE if "off-topic" in q["tags"]]
    assert len(QUESTIONS) >= 220
    assert len(UNANSWERABLE) >= 0.25 * len(QUESTIONS)
    assert len(near) + len(off) == len(UNANSWERABLE)
    assert abs(len(near) - len(off)) <= 0.1 * len(UNANSWERABLE)


def test_suite_covers_every_kind_of_question() -> None:
    tags = Counter(tag for question in QUESTIONS for tag in question["tags"])
    wanted = "number date person place how-to table list yes-no paraphrase multi-document superseded short typo"
    assert {tag: tags[tag] for tag in wanted.split() if tags[tag] < 4} == {}


def test_suite_ids_and_questions_are_unique() -> None:
    for field in ("id", "question"):
        assert [value for value, n in Counter(q[field] for q in QUESTIONS).items() if n > 1] == []


def test_suite_fields_agree_with_answerable() -> None:
    fields = {"id", "question", "answers", "sources", "answerable", "tags"}
    assert [q["id"] for q in QUESTIONS if set(q) != fields or not q["tags"]] == []
    assert [q["id"] for q in ANSWERABLE if not q["answers"] or not q["sources"]] == []
    assert [q["id"] for q in UNANSWERABLE if q["answers"] or q["sources"]] == []


def test_every_source_exists_and_every_document_is_asked_about() -> None:
    asked = Counter(source for question in ANSWERABLE for source in question["sources"])
    assert sorted(asked) == DOCUMENTS
    assert [name for name, n in asked.items() if n < 5] == []


def test_every_gold_answer_stands_in_one_passage_of_its_sources() -> None:
    missing = [
        (question["id"], answer)
        for question in ANSWERABLE
        for answer in question["answers"]
        if not any(holds(p, answer) for source in question["sources"] for p in passages(source))
    ]
    assert missing == []


def test_at_least_two_fifths_of_the_questions_are_paraphrases() -> None:
    tagged = [question for question in ANSWERABLE if "paraphrase" in question["tags"]]
    assert [question["id"] for question in tagged if overlap(question) > FEW] == []
    assert len(tagged) >= 0.4 * len(ANSWERABLE)


@pytest.mark.parametrize("name", sorted(BUILDER.BUILDERS))
def test_built_document_holds_the_text_of_its_source(name: str) -> None:
    blocks = BUILDER.parse((SAMPLES / "sources" / f"{Path(name).stem}.md").read_text(encoding="utf-8"))
    texts = [text for block in blocks for text in (block.text, *(cell for row in block.rows for cell in row))]
    squash = lambda text: re.sub(r"\W+", "", text)  # noqa: E731 - line breaks and signs differ between formats
    found = re.sub(r"Page\d+", "", squash(extracted(name)))
    assert [text for text in texts if squash(text) not in found] == []


@pytest.mark.parametrize("name", sorted(BUILDER.BUILDERS))
def test_building_a_document_twice_gives_the_same_bytes(name: str) -> None:
    if name.endswith(".pdf"):
        pytest.importorskip("reportlab", reason="only samples/build_handbook.py needs it")
    assert BUILDER.build(name) == BUILDER.build(name)


def test_documents_have_a_readable_length() -> None:
    words = {name: sum(len(p.split()) for p in passages(name)) for name in DOCUMENTS}
    prose = {name: n for name, n in words.items() if not name.endswith((".csv", ".xlsx"))}
    assert {name: n for name, n in prose.items() if not 500 <= n <= 1800} == {}


def test_samples_and_suite_name_no_real_host() -> None:
    texts = {name: "\n".join(passages(name)) for name in DOCUMENTS}
    texts |= {
        path.name: path.read_text(encoding="utf-8")
        for path in (*SAMPLES.rglob("*.md"), *ROOT.glob("evals/handbook.yaml"))
    }
    hosts = r"@([a-z0-9.-]+)|https?://([\w.-]+)|\b((?:[a-z0-9-]+\.)+(?:com|org|net|io|dev|ai|eu|de|uk))\b"
    named = {match[1] or match[2] or match[3] for text in texts.values() for match in re.finditer(hosts, text)}
    assert {host for host in named if not host.rstrip(".").endswith(".example")} == set()
