"""Formats of text: Markdown, reStructuredText, HTML, delimited values, JSON, e-mail."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from ragstead.bootstrap.loaders import load_file

HTML = """<!doctype html><html><head><title>Ducks</title><style>p {color: red}</style></head><body>
<script>var leaked = 1;</script><nav><a href="/">Home</a></nav>
<h1>Ducks</h1><p>A <b>duck</b> is H<sub>2</sub>O-proof.<br>It quacks.</p>
<ul><li>Wild<ul><li>Mallard</li></ul></li><li><p>Tame</p></li></ul>
<table><caption>Count</caption><tr><th>Kind</th><th>Number</th></tr><tr><td>Mallard</td><td>3</td></tr></table>
<table><tr><td><h2>Laid out</h2><p>by a table</p><table><tr><td>in</td><td>side</td></tr></table></td></tr></table>
<pre>quack()
quack()</pre><p hidden>unseen</p><p><img src="d.png" alt="A duckling"></p>after &lt;all&gt;</body></html>"""

MARKDOWN = """---
title: "Guide"
tags: [a]
---

# Start { #start }

See [the docs](http://docs.example) and `code`, *now*.
Second line.

1. one
2. two
   - inner

   more of two

```python
print("hi")
```

| A | B |
|---|---|
| 1 | 2 |

<ul><li>From HTML</li></ul>

<!-- a secret -->
"""

RST = """
Title
=====

Text with ``literal`` and :func:`pkg.name` and a `link <http://docs.example>`_.

.. note:: Mind the gap.

.. toctree::
   :maxdepth: 2

   chapter/one

.. code-block:: python

   print("hi")

Inner
-----

- one
- two

  more

====  ====
A     B
====  ====
1     2
====  ====

term
  meaning
"""


def test_html_shows_what_a_reader_sees() -> None:
    extracted = load_file(HTML.encode(), "ducks.html")
    assert extracted.title == "Ducks"
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "Ducks"), (2, "Laid out")]
    for words in (
        "Home",
        "A duck is H2O-proof.\nIt quacks.", "- Wild\n  - Mallard\n- Tame", "Count\n\nKind | Number\nMallard | 3",
        "by a table", "in | side", "```\nquack()\nquack()\n```", "A duckling", "after <all>",
    ):  # fmt: skip
        assert words in extracted.text
    for words in ("leaked", "color", "unseen"):
        assert words not in extracted.text


def test_html_without_a_heading_shows_its_title_as_one() -> None:
    extracted = load_file(b"<html><head><title>Alone</title></head><body>Words</body></html>", "a.html")
    assert extracted.text == "# Alone\n\nWords"


def test_html_is_read_in_the_encoding_it_declares() -> None:
    page = '<html><head><meta charset="windows-1251"></head><body>Привет, мир</body></html>'
    assert load_file(page.encode("cp1251"), "a.html").text == "Привет, мир"


def test_html_nested_deep_is_read() -> None:
    page = "<html><body>" + "<div>" * 150 + "deep" + "</div>" * 150 + "</body></html>"
    assert load_file(page.encode(), "a.html").text == "deep"


def test_markdown_shows_what_a_reader_sees() -> None:
    extracted = load_file(MARKDOWN.encode(), "guide.md")
    assert extracted.title == "Guide"
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "Start")]
    assert extracted.text == (
        "# Start\n\nSee the docs and code, now.\nSecond line.\n\n1. one\n2. two\n  - inner\n\nmore of two\n\n"
        '```python\nprint("hi")\n```\n\nA | B\n1 | 2\n\n- From HTML'
    )


def test_rst_shows_what_a_reader_sees() -> None:
    extracted = load_file(RST.encode(), "a.rst")
    assert extracted.title == "Title"
    assert [(h.level, h.title) for h in extracted.headings] == [(1, "Title"), (2, "Inner")]
    for words in (
        "Text with literal and pkg.name and a link.", "Mind the gap.", "chapter/one", '```python\nprint("hi")\n```',
        "- one\n- two\n\nmore", "A | B\n1 | 2", "term\n\nmeaning",
    ):  # fmt: skip
        assert words in extracted.text
    assert "maxdepth" not in extracted.text


@pytest.mark.parametrize("directive", ["include", "literalinclude", "raw", "csv-table", "image"])
def test_rst_inserts_no_file(directive: str, tmp_path: object) -> None:
    secret = f"{tmp_path}/secret"
    with open(secret, "w") as file:  # noqa: PTH123
        file.write("not for readers")
    body = f".. {directive}:: html\n   :file: {secret}\n" if directive == "raw" else f".. {directive}:: {secret}\n"
    body = body if directive != "csv-table" else f".. csv-table:: x\n   :file: {secret}\n"
    assert "not for readers" not in load_file(f"Text.\n\n{body}".encode(), "a.rst").text


def test_csv_of_any_delimiter_names_its_columns() -> None:
    for delimiter in ",;\t|":
        data = "\n".join(delimiter.join(row) for row in [["Name", "City"], ["Ann", "Ulm"], ["Bob", "Bonn"]])
        assert "Name: Bob | City: Bonn" in load_file(data.encode(), "a.csv").text


def test_csv_with_quotes_and_ragged_rows_keeps_every_field() -> None:
    text = load_file(b'a,b\n"x, y",1,extra\n"line\nbreak"\n', "a.csv").text
    assert text == "a | b\na: x, y | b: 1 | extra\na: line break"


def test_json_shows_values_under_their_paths() -> None:
    data = b'{"title": "T", "a": {"b": [1, 2], "c": [{"d": "x"}, {"d": null}]}, "e": true}'
    extracted = load_file(data, "a.json")
    assert extracted.title == "T"
    assert extracted.text == "title: T\na.b: 1, 2\na.c[0].d: x\na.c[1].d: null\ne: true"


def test_json_lines_are_a_paragraph_each() -> None:
    assert load_file(b'{"q": "one"}\n\n{"q": "two"}\n', "a.jsonl").text == "q: one\n\nq: two"


def test_json_that_is_none_is_plain_text() -> None:
    assert load_file(b"{broken: 1, // comment\n", "a.json").text == "{broken: 1, // comment"


def message(depth: int = 0) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = f"Level {depth}", "ann@example.org", "bob@example.org"
    made.set_content("Plain words.")
    made.add_alternative("<p>HTML words.</p>", subtype="html")
    return made


def test_email_shows_headers_body_and_attachments() -> None:
    made = message()
    made.add_attachment(b"# Notes\n\nattached words", maintype="text", subtype="markdown", filename="notes.md")
    made.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="logo.png")
    made.add_attachment(b"\0\1\2" * 99, maintype="application", subtype="octet-stream", filename="data.bin")
    extracted = load_file(made.as_bytes(), "a.eml")
    assert extracted.title == "Level 0"
    assert "From: ann@example.org\nTo: bob@example.org\nSubject: Level 0\n\nPlain words." in extracted.text
    assert "HTML words" not in extracted.text
    assert "# Attachment: notes.md\n\n## Notes\n\nattached words" in extracted.text
    assert "Attachment: logo.png" in extracted.text
    assert "Attachment: data.bin (not read: data.bin: binary data" in extracted.text


def test_email_of_html_alone_is_read_as_html() -> None:
    made = EmailMessage()
    made["Subject"], made["From"] = "S", "a@example.org"
    made.set_content("<p>Only <b>HTML</b> words.</p>", subtype="html")
    assert "Only HTML words." in load_file(made.as_bytes(), "a.eml").text


def test_emails_within_emails_are_read_to_a_depth() -> None:
    made = message(9)
    for depth in range(8, 0, -1):
        outer = message(depth)
        outer.add_attachment(made)
        made = outer
    text = load_file(made.as_bytes(), "a.eml").text
    assert "Subject: Level 3" in text
    assert "nested too deep" in text
    assert "Level 8" not in text


def test_email_without_its_suffix_is_told_by_its_content() -> None:
    assert load_file(b"Received: by x\nFrom: a@example.org\nSubject: Hi\n\nBody.", "mail").title == "Hi"
