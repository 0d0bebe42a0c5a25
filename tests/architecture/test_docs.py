"""What the words say exists, exists."""

from __future__ import annotations

import re

import pytest
from source_tree import ROOT, tracked

PAGES = [
    path for path in tracked() if path.endswith(".md") and not path.startswith(("samples/", "tests/", "evals/suites/"))
]
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
DECISIONS = [path for path in PAGES if path.startswith("docs/decisions/0")]
SECTIONS = ["Context", "Decision", "Consequences", "Alternatives", "Check"]


def prose(path: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^```.*?^```", "", (ROOT / path).read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: str) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", prose(path), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    broken = []
    for target in LINK.findall(prose(page)):
        file, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        path = ((ROOT / page).parent / file).resolve() if file else ROOT / page
        if not path.exists() or (anchor and anchor not in anchors(str(path.relative_to(ROOT)))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_named_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"`make ([a-z]+)", (ROOT / page).read_text(encoding="utf-8")))
    assert named - targets == set()


@pytest.mark.parametrize("page", DECISIONS)
def test_decision_record_has_its_five_parts_in_order(page: str) -> None:
    assert re.findall(r"^## (.+)$", prose(page), flags=re.MULTILINE) == SECTIONS


def test_decision_records_are_numbered_without_gaps() -> None:
    assert [int(path.rpartition("/")[2][:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_every_decision_record_that_the_code_names_exists() -> None:
    numbers = {path.rpartition("/")[2][:4] for path in DECISIONS}
    sources = [path for path in tracked() if path.endswith((".py", ".toml", ".yaml", ".yml", ".md"))]
    named = {
        n for path in sources for n in re.findall(r"docs/decisions/(\d{4})", (ROOT / path).read_text(encoding="utf-8"))
    }
    assert named - numbers == set()
