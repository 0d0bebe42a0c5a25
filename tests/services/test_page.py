"""The web page in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ragstead_gateway.app import create_app
from services.browser import Page, browsing, find_chromium
from services.fake_platform import FakePlatform
from services.live_server import serving

HOSTILE = "<img src=x onerror=alert(1)><script>window.hacked=1</script> leave takes days"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    chromium = find_chromium()
    if chromium is None:
        if os.environ.get("RAGSTEAD_REQUIRE_SERVICES") == "1":
            pytest.fail("chromium is not installed")
        pytest.skip("chromium is not installed")
    with browsing(chromium) as page:
        yield page


def opened(browser: Page, url: str) -> Page:
    browser.console.clear()
    browser.call("Page.navigate", url=url)
    browser.wait("document.readyState === 'complete' && document.getElementById('collection')?.options.length > 0")
    return browser


def ask(page: Page, question: str) -> None:
    page.run(f"at('question').value = {question!r}; at('ask-form').requestSubmit()")
    page.wait("at('answer').getAttribute('aria-busy') === 'false' && at('receipt').textContent")


def test_page_shows_an_answer_whose_citation_expands_to_its_quote(browser, live, tmp_path):
    documents = {"documents": [{"document_id": "leave.md", "text": "Parents take 20 days of leave each year"}]}
    httpx.post(f"{live}/v1/vector_stores/handbook/documents", json=documents)
    page = opened(browser, live)
    page.wait("document.querySelectorAll('#documents tr').length === 1")
    ask(page, "days of leave")
    assert page.run("at('answer').textContent") == "Parents take 20 days of leave each year [1]."
    assert page.run("at('citation-0').open") is False
    page.run("document.querySelector('#answer a').click()")
    assert page.run("at('citation-0').open") is True
    assert page.run("document.querySelector('blockquote').textContent") == "Parents take 20 days of leave each year"
    assert page.run("at('verdict').hidden") is True
    if folder := os.environ.get("RAGSTEAD_SCREENSHOTS"):
        page.screenshot(Path(folder) / "page.png")
    ask(page, "xylophone")
    assert page.run("at('verdict').hidden") is False
    assert "nothing was found" in page.run("at('verdict').textContent")
    assert page.run("document.querySelectorAll('details').length") == 0
    assert page.console == []


def test_page_uploads_a_document_and_lists_it(browser, live):
    page = opened(browser, live)
    page.run(
        "(() => { const made = new DataTransfer(); made.items.add(new File(['hello there'], 'a b.txt'));"
        "at('file').files = made.files; at('upload-form').requestSubmit(); })()"
    )
    page.wait("document.querySelectorAll('#documents tr').length === 1")
    assert page.run("document.querySelector('#documents td').textContent") == "a b.txt"
    listed = httpx.get(f"{live}/v1/vector_stores/default/documents").json()
    assert listed["documents"][0]["filename"] == "a b.txt"


def test_page_writes_hostile_documents_and_names_as_text(browser, live):
    documents = {"documents": [{"document_id": "<b>x</b>", "title": HOSTILE, "text": HOSTILE}]}
    httpx.post(f"{live}/v1/vector_stores/handbook/documents", json=documents)
    page = opened(browser, live)
    ask(page, "leave takes days")
    page.wait("document.querySelectorAll('#documents tr').length === 1")
    assert "<img" in page.run("at('answer').textContent")
    assert page.run("document.querySelectorAll('img').length") == 0
    assert page.run("window.hacked ?? null") is None


def test_page_asks_for_a_key_where_the_server_does(browser, tmp_path):
    with serving(create_app(FakePlatform(tmp_path), api_keys=["secret"])) as url:
        browser.call("Page.navigate", url=url)
        browser.wait("document.getElementById('key-section')?.hidden === false")
        browser.run("at('key').value = 'secret'; at('key-form').requestSubmit()")
        browser.wait("at('key-section').hidden && at('collection').options.length > 0")


def test_page_shows_why_an_answer_failed(browser, live, platform):
    page = opened(browser, live)
    page.run("at('question').value = 'a'; at('ask-form').requestSubmit()")
    page.wait("at('answer').className === 'failed'")
    assert "default" in page.run("at('answer').textContent")
